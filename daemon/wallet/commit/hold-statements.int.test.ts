import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { brlWalletOf } from '../../../tests/support/ledger/build-command.ts';
import {
  countBy,
  createDaemon,
  deposit,
  hold,
  readHolds,
  readWallet,
  use,
  useHolds,
  waitUntilPast,
  watch,
  withdraw,
} from './test-support.ts';

useHolds();

describe('the number of holds', () => {
  it('a wallet has 1,024 open holds at most, also where two daemons place them', async () => {
    const daemons = [createDaemon(), createDaemon()];
    await daemons[0]!(deposit(10_000n));
    const first = Array.from({ length: 1_010 }, () => hold(1n));
    expect(countBy(await Promise.all(first.map(daemons[0]!)))).toEqual({ done: 1_010 });
    const more = Array.from({ length: 40 }, (_, i) => daemons[i % 2]!(hold(1n)));
    expect(countBy(await Promise.all(more))).toEqual({ done: 14, HOLD_LIMIT_EXCEEDED: 26 });
    expect(await daemons[1]!(use('release', first[0]!))).toBe('done');
    expect(await daemons[0]!(hold(1n))).toBe('done');
    expect(await daemons[1]!(hold(1n))).toBe('HOLD_LIMIT_EXCEEDED');
  });

  it('1,024 holds whose time is over make room for the next one', async () => {
    const submit = createDaemon();
    await submit(deposit(10_000n));
    const placed = Array.from({ length: 1_024 }, () => hold(1n, { expiresInMs: 3_000 }));
    const outcomes = await Promise.all(placed.map(submit));
    expect(countBy(outcomes)).toEqual({ done: 1_024 });
    await waitUntilPast(placed.at(-1)!);
    expect(await submit(hold(5n))).toBe('done');
    expect(await readWallet()).toMatchObject({ balance: 10_000, held: 5 });
  });
});

describe('statements', () => {
  it('a wallet without holds is committed without a statement about holds', async () => {
    const { db, sent } = watch();
    const submit = createDaemon(db);
    await submit(deposit(100n));
    sent.length = 0;
    await submit(withdraw(10n));
    expect(sent).toContain('wallet_move');
    expect(sent.filter((name) => /hold|held|anchor|expiry/.test(name))).toEqual([]);
    const placed = hold(10n);
    await submit(placed);
    await submit(use('capture', placed));
    sent.length = 0;
    await submit(withdraw(10n));
    expect(sent).toContain('wallet_move');
  });

  it('a hold is placed and captured in part by the optimistic commit', async () => {
    const { db, sent } = watch();
    const submit = createDaemon(db);
    await submit(deposit(100n));
    sent.length = 0;
    const placed = hold(50n);
    expect(await submit(placed)).toBe('done');
    expect(await submit(use('capture', placed, 20n, { keepsRest: true }))).toBe('done');
    expect(await submit(use('release', placed, 10n))).toBe('done');
    expect(sent.filter((name) => name === 'wallet_move_held')).toHaveLength(3);
    expect(sent).not.toContain('wallet_lock');
    expect(await readHolds()).toMatchObject([{ state: 'open', used: '30', captured: '20' }]);
    expect(await submit(use('capture', placed))).toBe('done');
    expect(await readHolds()).toMatchObject([{ state: 'captured', used: '50', captured: '40' }]);
  });

  it('a capture for a user opens that user’s wallet, and a refused one does not', async () => {
    const submit = createDaemon();
    const payee = randomUUID();
    const placed = hold(50n, { payeeUserId: payee });
    const ofUser = { ...placed, merchant: undefined };
    await submit(deposit(100n));
    expect(await submit(ofUser)).toBe('done');
    const other = brlWalletOf(payee);
    expect(await submit(use('capture', ofUser, 51n, { other }))).toBe('CAPTURE_EXCEEDS_HOLD');
    expect(await readWallet(payee)).toBeUndefined();
    expect(await submit(use('capture', ofUser, 30n, { other }))).toBe('done');
    expect(await readWallet(payee)).toMatchObject({ balance: 30, held: 0 });
    expect(await readWallet()).toMatchObject({ balance: 70, held: 0 });
  });
});
