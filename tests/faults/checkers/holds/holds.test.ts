import { describe, expect, it } from 'vitest';

import type { EntryRow, FinalRows, HoldRow } from '../../../support/ledger/final-rows.ts';
import { uuidOf, type Done } from '../../../support/ledger/wallet-model.ts';
import type { Command, History } from '../../record/history.ts';
import {
  emptyHistory,
  makeAttempt,
  makeCommand,
  userIds,
  walletIds,
} from '../simulated/good-run.ts';
import { toEntry, toFinalRows } from '../simulated/rows.ts';
import type { Checker } from '../violation.ts';
import { checkGroups } from './groups.ts';
import { checkHolds } from './holds.ts';
import { checkLimits } from './limits.ts';

const [userId] = userIds;
const [walletId] = walletIds;
const startMs = Date.UTC(2026, 10, 28, 10);
const hourMs = 3_600_000;

type Move = Partial<EntryRow> & Pick<EntryRow, 'id' | 'operation' | 'at_ms'>;

/** An entry of the first wallet, so many milliseconds after the start. */
function entry(id: string, operation: number, afterMs: number, change: Partial<EntryRow>): Move {
  return { id, operation, at_ms: String(startMs + afterMs), ...change };
}

const done: Done = {
  ...{ id: '', operation: 'deposit', amountMinor: 0n, contraAccount: 'merchant:Bakery' },
  ...{ parentId: undefined, usedMinor: 0n, isRest: false, heldMinor: 0n },
};

const toRows = (moves: readonly Move[], holds: readonly HoldRow[]): FinalRows => ({
  ...toFinalRows(moves.map((move) => ({ ...toEntry(userId, done, 1, startMs), ...move }))),
  holds,
});

const expiresMs = startMs + 1_000;
const expiry = { 'dw.expiresAt': new Date(expiresMs).toISOString() };
const releaseId = uuidOf(walletId, 'system:expire:hold');
const deposit = entry('deposit', 1, 0, { amount: '500', contra_account: 'external:cash' });
const hold = entry('hold', 7, 100, { amount: '0', held: '300', metadata: expiry });
const capture = entry('capture', 8, 200, { amount: '-100', held: '-100', parent_id: 'hold' });
const release = entry(releaseId, 9, 1_500, {
  ...{ amount: '0', held: '-200', parent_id: 'hold', parent_used: '100', source: 3 },
});
const withdraw = entry('withdraw', 2, 1_500, { amount: '-400', contra_account: 'external:cash' });
const row: HoldRow = {
  ...{ wallet_id: walletId, id: 'hold', seq: '2', amount: '300', used: '300', captured: '100' },
  ...{ state: 'expired', contra_account: 'merchant:Bakery', expires_ms: String(expiresMs) },
};
const good = [deposit, hold, capture, release, withdraw];

const find = (check: Checker, rows: FinalRows, history: History = emptyHistory): string[] =>
  check(history, rows).map(({ seq, what }) => `${String(seq)}: ${what}`);

describe('holds', () => {
  const changed = (name: string, change: Partial<EntryRow>): Move[] =>
    good.map((move) => (move.id === name ? { ...move, ...change } : move));

  it('a hold that is captured in part and expires has no violation', () => {
    expect(find(checkHolds, toRows(good, [row]))).toEqual([]);
  });

  it.each([
    ['is not released when it expires', [deposit, hold, capture, withdraw]],
    ['is used after it has expired', changed('capture', { at_ms: String(expiresMs) })],
    [
      'is released by walletd before it expires',
      changed(releaseId, { at_ms: String(expiresMs - 1) }),
    ],
    ['is released under another id', changed(releaseId, { id: 'another' })],
    ['is released only in part', changed(releaseId, { held: '-199' })],
    ['is captured for more than is released', changed('capture', { amount: '-101' })],
    ['is used up by more than it has', changed('capture', { amount: '-301', held: '-301' })],
    ['is of more than there is', changed('hold', { held: '501' })],
    ['does not say when it expires', changed('hold', { metadata: null })],
    ['is not there', good.filter(({ id }) => id !== 'hold')],
  ])('a hold that %s is found', (_what, moves) => {
    expect(find(checkHolds, toRows(moves, [row])).length).toBeGreaterThan(0);
  });

  it.each<[string, readonly HoldRow[]]>([
    ['is missing', []],
    ['has another amount used', [{ ...row, used: '299' }]],
    ['has another amount captured', [{ ...row, captured: '0' }]],
    ['has another state', [{ ...row, state: 'captured' }]],
    ['has another expiry', [{ ...row, expires_ms: String(expiresMs + 1) }]],
    ['is of no entry', [row, { ...row, id: 'another' }]],
  ])('a row of holds that %s is found', (_what, holds) => {
    expect(find(checkHolds, toRows(good, holds))).toHaveLength(1);
  });

  it('money that is reserved and was spent is found', () => {
    const spent = entry('spent', 2, 300, { amount: '-201', contra_account: 'external:cash' });
    const moves = [deposit, hold, capture, spent];
    const open = { ...row, used: '100', state: 'open' };
    expect(find(checkHolds, toRows(moves, [open]))).toEqual([
      '4: 200 are reserved, and the balance is 199',
    ]);
  });
});

describe('limits', () => {
  const spend = (id: string, afterMs: number, amount: string): Move =>
    entry(id, 2, afterMs, { amount, contra_account: 'external:cash' });
  const limited = (
    moves: readonly Move[],
    limits: object,
    refused: readonly Command[] = [],
  ): string[] => {
    const rows = toRows(moves, []);
    const wallets = rows.wallets.map((wallet) => ({ ...wallet, limits }));
    const outcome = { kind: 'refused', reason: 'LIMIT_EXCEEDED' } as const;
    const attempts = refused.map((command) => makeAttempt(command, [0, 1], outcome));
    return find(checkLimits, { ...rows, wallets }, { ...emptyHistory, attempts });
  };

  it('spending up to a limit is right, and one unit more is found', () => {
    const moves = [deposit, spend('a', 10, '-60'), hold, capture, spend('b', 20_000, '-40')];
    expect(limited(moves, { day: '400' })).toEqual([]);
    expect(limited(moves, { day: '399' })).toEqual(['5: 400 in its day, not 399']);
    expect(limited(moves, { perTransaction: '299' })).toEqual(['3: 300 at once, the limit is 299']);
    expect(limited(moves, { rolling: [{ hours: 1, amount: '399' }] })).toHaveLength(1);
  });

  it('a refusal for a limit that was not passed is found, and any of a capture', () => {
    const moves = [deposit, spend('a', 10, '-60'), hold, capture];
    const ask = (amountMinor: bigint | undefined, operation: Command['operation'] = 'withdraw') =>
      makeCommand(userId, 'refused', { operation, amountMinor });
    expect(limited(moves, { day: '400' }, [ask(41n)])).toEqual([]);
    expect(limited(moves, { day: '400' }, [ask(40n)])).toHaveLength(1);
    expect(limited(moves, { perTransaction: '300' }, [ask(301n)])).toEqual([]);
    expect(limited(moves, { perTransaction: '300' }, [ask(300n)])).toHaveLength(1);
    expect(limited(moves, { day: '400' }, [ask(undefined, 'capture')])).toHaveLength(1);
    const inGroup = { ...ask(40n), groupId: 'group' };
    expect(limited(moves, { day: '400' }, [inGroup])).toEqual([]);
  });

  it('what was spent before a window does not count', () => {
    const moves = [deposit, spend('a', 10, '-60'), spend('b', 14 * hourMs, '-60')];
    expect(limited(moves, { day: '60', rolling: [{ hours: 1, amount: '60' }] })).toEqual([]);
    const sooner = [deposit, spend('a', 10, '-60'), spend('b', hourMs + 10, '-60')];
    expect(limited(sooner, { rolling: [{ hours: 1, amount: '60' }] })).toHaveLength(1);
  });
});

describe('groups', () => {
  const of = (key: string, amountMinor: bigint): Command => ({
    ...makeCommand(userId, key, { operation: 'deposit', amountMinor }),
    groupId: 'group',
  });
  const [one, two] = [of('one', 5n), of('two', 6n)];
  const entryOf = ({ transactionId, amountMinor = 0n }: Command): Move =>
    entry(transactionId, 1, 0, { amount: String(amountMinor) });
  const accepted = ({ transactionId }: Command) => ({ kind: 'accepted', transactionId }) as const;
  const aborted = { kind: 'refused', reason: 'GROUP_ABORTED' } as const;

  it('a group of which one command is there, or was refused, is found', () => {
    const both = toRows([one, two].map(entryOf), []);
    const answers = [one, two].map((each) => makeAttempt(each, [0, 1], accepted(each)));
    const history = { ...emptyHistory, attempts: answers };
    expect(find(checkGroups, both, history)).toEqual([]);
    expect(find(checkGroups, toRows([entryOf(one)], []), history)).toHaveLength(1);
    const refused = [answers[0]!, makeAttempt(two, [0, 1], aborted)];
    expect(find(checkGroups, both, { ...history, attempts: refused })).toHaveLength(1);
  });
});
