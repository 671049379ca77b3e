import { randomUUID } from 'node:crypto';

import { describe, expect, it, vi } from 'vitest';

import { createLog } from '../../platform/log.ts';
import { unwatched } from '../../platform/progress/watch.ts';
import { createSweeper } from '../sweep/sweeper.ts';
import {
  countBy,
  createDaemon,
  createGroup,
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

const log = createLog('silent');
const { database } = useHolds();

describe('expiry', () => {
  it('a millisecond after a hold ends, a withdrawal finds its money with no sweeper', async () => {
    const [here, there] = [createDaemon(), createDaemon()];
    const [long, short] = [hold(60n), hold(40n, { expiresInMs: 50 })];
    expect(await Promise.all([deposit(100n), long, short].map(here))).toEqual(
      Array.from({ length: 3 }, () => 'done'),
    );
    await waitUntilPast(short);
    // The daemon that remembers the wallet, and one that has never seen it.
    expect(await here(withdraw(15n))).toBe('done');
    expect(await there(withdraw(25n))).toBe('done');
    expect(await here(withdraw(1n))).toBe('INSUFFICIENT_FUNDS');
    expect((await readHolds()).map(({ state }) => state)).toEqual(['open', 'expired']);
    expect(await readWallet()).toMatchObject({ balance: 60, held: 60 });
    const entries = await database().query<{ operation: number; source: number; actor: string }>(
      'SELECT operation, source, actor FROM transactions ORDER BY seq',
    );
    expect(entries.map(({ operation }) => operation)).toEqual([1, 7, 7, 9, 2, 2]);
    expect(entries[3]).toEqual({ operation: 9, source: 3, actor: 'walletd' });
  });

  it('a capture after the end of its hold is refused, and the money is free', async () => {
    const submit = createDaemon();
    const short = hold(100n, { expiresInMs: 50 });
    await Promise.all([deposit(100n), short].map(submit));
    await waitUntilPast(short);
    expect(await submit(use('capture', short))).toBe('HOLD_EXPIRED');
    expect(await submit(use('release', short))).toBe('HOLD_EXPIRED');
    expect(await submit(withdraw(100n))).toBe('done');
    expect(await readWallet()).toEqual({ balance: 0, held: 0, next: null });
  });

  it('a command that is refused before leaves the release of an expired hold to the next one', async () => {
    const submit = createDaemon();
    const [short, long] = [hold(40n, { expiresInMs: 50 }), hold(60n)];
    await Promise.all([deposit(100n), short, long].map(submit));
    await waitUntilPast(short);
    const refusedIfNew = { reason: 'OUTBOX_FULL', message: 'full', metadata: {} } as const;
    expect(await submit({ ...withdraw(10n), refusedIfNew })).toBe('OUTBOX_FULL');
    expect(await createDaemon()({ ...withdraw(10n), refusedIfNew })).toBe('OUTBOX_FULL');
    expect(await createDaemon()(withdraw(40n))).toBe('done');
  });

  it('any number of sweepers release an expired hold of an idle wallet once', async () => {
    const submit = createDaemon();
    const others = Array.from({ length: 5 }, () => randomUUID());
    const holds = others.flatMap((of) => [
      hold(10n, { expiresInMs: 50 }, of),
      hold(20n, { expiresInMs: 60 }, of),
    ]);
    await Promise.all(others.map((of) => submit(deposit(100n, of))));
    await Promise.all(holds.map(submit));
    const sweepers = [0, 1, 2].map(() =>
      createSweeper({
        ...{ db: database().db, groupCommit: createGroup(), log, watch: unwatched },
        isOutboxFull: () => false,
      }),
    );
    for (const sweeper of sweepers) sweeper.start();
    try {
      await vi.waitFor(
        async () => {
          const states = (await readHolds()).map(({ state }) => state);
          expect(states).toEqual(holds.map(() => 'expired'));
        },
        { timeout: 20_000, interval: 50 },
      );
    } finally {
      await Promise.all(sweepers.map((sweeper) => sweeper.stop()));
    }
    const releases = await database().query('SELECT FROM transactions WHERE operation = 9');
    expect(releases).toHaveLength(holds.length);
    for (const of of others) {
      expect(await readWallet(of)).toEqual({ balance: 100, held: 0, next: null });
    }
  });

  it('an expiry that is remembered too early costs one commit its locks, and is corrected', async () => {
    const submit = createDaemon();
    const [short, long] = [hold(10n, { expiresInMs: 50 }), hold(20n)];
    await Promise.all([deposit(100n), short, long].map(submit));
    // Done with before its time: the wallet still has that time as its next expiry.
    const released = await submit(use('release', short));
    expect(['done', 'HOLD_EXPIRED']).toContain(released);
    await waitUntilPast(short);
    const { db, sent } = watch();
    const other = createDaemon(db);
    expect(await other(withdraw(1_000n))).toBe('INSUFFICIENT_FUNDS');
    expect(sent).toContain('hold_due');
    sent.length = 0;
    expect(await other(deposit(1n))).toBe('done');
    expect(sent).not.toContain('wallet_lock');
    expect(sent).toContain('wallet_move_held');
    const [row] = await database().query<{ isRight: boolean }>(
      `SELECT w.next_expiry = h.expires_at AS "isRight" FROM wallets w JOIN holds h
       ON h.wallet_id = w.id WHERE h.state = 'open'`,
    );
    expect(row?.isRight).toBe(true);
  });
});

describe('concurrency', () => {
  it('captures of one hold by three daemons take all that fits of it, and no more', async () => {
    const daemons = [createDaemon(), createDaemon(), createDaemon()];
    const placed = hold(1_000n);
    await Promise.all([deposit(1_000n), placed].map(daemons[0]!));
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        daemons[i % 3]!(use('capture', placed, 30n, { keepsRest: true })),
      ),
    );
    expect(countBy(outcomes)).toEqual({ done: 33, CAPTURE_EXCEEDS_HOLD: 17 });
    expect(await readWallet()).toMatchObject({ balance: 10, held: 10 });
    expect(await readHolds()).toMatchObject([{ state: 'open', used: '990', captured: '990' }]);
  });

  it('of 50 captures and releases of a whole hold, by three daemons, one is done', async () => {
    const daemons = [createDaemon(), createDaemon(), createDaemon()];
    const placed = hold(100n);
    await Promise.all([deposit(100n), placed].map(daemons[0]!));
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        daemons[i % 3]!(use(i % 2 === 0 ? 'capture' : 'release', placed)),
      ),
    );
    expect(countBy(outcomes)).toEqual({ done: 1, HOLD_CLOSED: 49 });
  });

  it('holds and withdrawals of two daemons never reserve more than there is', async () => {
    const daemons = [createDaemon(), createDaemon()];
    await daemons[0]!(deposit(1_000n));
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        daemons[i % 2]!(i % 3 === 0 ? withdraw(17n) : hold(17n)),
      ),
    );
    expect(countBy(outcomes)).toEqual({ done: 58, INSUFFICIENT_FUNDS: 42 });
    const { balance = 0, held = 0 } = (await readWallet()) ?? {};
    expect(balance - held).toBe(1_000 - 58 * 17);
  });
});
