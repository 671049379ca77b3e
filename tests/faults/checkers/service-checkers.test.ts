import { describe, expect, it } from 'vitest';

import type { Alert, Attempt, FaultSpan, ProgressSample } from '../record/history.ts';
import { checkAvailability } from './availability.ts';
import { checkSilence } from './silence.ts';
import { commands, emptyHistory, makeAttempt, walletIds } from './simulated/good-run.ts';
import { toFinalRows } from './simulated/rows.ts';

const rows = toFinalRows([]);

describe('availability', () => {
  const lock: FaultSpan = { kind: 'locks', target: walletIds[1], fromMs: 0, toMs: 60_000 };
  const accepted = { kind: 'accepted', transactionId: '' } as const;
  const takes = (ms: number, fromMs = 10_000): Attempt =>
    makeAttempt(commands.deposit, [fromMs, fromMs + ms], accepted);
  const find = (attempts: readonly Attempt[], faults: readonly FaultSpan[] = [lock]): string[] =>
    checkAvailability({ ...emptyHistory, attempts, faults }, rows).map(({ what }) => what);
  const fast = Array.from({ length: 99 }, () => takes(20));

  it('answers within a second, and one slow one of a hundred, are no violation', () => {
    expect(find(fast)).toEqual([]);
    expect(find([...fast, takes(1_400)])).toEqual([]);
    expect(find([...fast, takes(5_000)])).toEqual([]);
  });

  it('slow answers beside a lock are found, also one that never came', () => {
    expect(find([...fast, takes(1_600), takes(1_600)])).toEqual([
      'grpc: 2 of 101 requests beside a locked wallet took over 1500 ms, the longest 1600 ms',
    ]);
    expect(find([{ ...takes(0), endMs: undefined, outcome: undefined }])).toHaveLength(1);
  });

  it('a slow balance beside a lock is found', () => {
    const read = { client: 'one', over: 'http', daemon: 'first', walletId: walletIds[0] } as const;
    const balances = [{ ...read, isNow: true, startMs: 0, endMs: 2_000, answer: undefined }];
    expect(checkAvailability({ ...emptyHistory, balances, faults: [lock] }, rows)).toHaveLength(1);
  });

  it('a refusal as busy beside the lock of another wallet is found', () => {
    const busy = makeAttempt(commands.deposit, [10, 20], {
      kind: 'refused',
      reason: 'WALLET_BUSY',
    });
    expect(find([...fast, busy])).toEqual([expect.stringMatching(/^grpc: WALLET_BUSY at 10 ms/)]);
  });

  it('a wallet that pays the locked one is not judged beside it', () => {
    const pair = { userId: 'a', otherUserId: 'b', otherWalletId: walletIds[1] };
    const pays = { ...takes(20), command: { ...commands.withdraw, pair } };
    expect(find([takes(5_000), pays])).toEqual([]);
    const elsewhere = { ...pair, otherWalletId: 'another wallet' };
    expect(
      find([takes(5_000), { ...pays, command: { ...pays.command, pair: elsewhere } }]),
    ).toHaveLength(1);
  });

  it('neither the locked wallet nor what another fault delays is judged', () => {
    const slow = [takes(5_000)];
    expect(find(slow, [])).toEqual([]);
    expect(find(slow, [{ ...lock, target: walletIds[0] }])).toEqual([]);
    expect(find(slow, [lock, { ...lock, target: walletIds[0], toMs: 9_600 }])).toEqual([]);
    const machine = { kind: 'machine', target: 'a commit', fromMs: 12_000, toMs: 12_600 };
    expect(find(slow, [lock, machine])).toEqual([]);
    const before = { kind: 'kills', target: 'first', fromMs: 4_000, toMs: 5_500 };
    expect(find(slow, [lock, before])).toEqual([]);
    expect(find(slow, [lock, { ...before, toMs: 4_500 }])).toHaveLength(1);
    expect(find(slow, [{ ...lock, toMs: undefined }])).toHaveLength(1);
  });
});

describe('silence', () => {
  const sample = (atMs: number, doneCount: number, waitingCount = 1): ProgressSample => ({
    ...{ atMs, part: 'wallet.outbox', doneCount, waitingCount },
  });
  /** One sample every 5 s, all with the same number. */
  const from = (fromMs: number, toMs: number, doneCount: number, waitingCount = 1) =>
    Array.from({ length: (toMs - fromMs) / 5_000 + 1 }, (_, i) =>
      sample(fromMs + i * 5_000, doneCount, waitingCount),
    );
  const stuck = [sample(0, 1), ...from(1_000, 46_000, 2)];
  const alert: Alert = { atMs: 32_000, daemon: 'first', over: 'log', part: 'wallet.outbox' };
  const attempts = [makeAttempt(commands.deposit, [0, 1], undefined)];
  const watched = ['log', 'readyz'] as const;
  const find = (
    progress: readonly ProgressSample[],
    alerts: readonly Alert[] = [],
    faults: readonly FaultSpan[] = [],
  ): string[] =>
    checkSilence({ ...emptyHistory, attempts, progress, alerts, watched, faults }, rows).map(
      ({ what }) => what,
    );

  it('progress, a stall of some seconds and idleness are no violation', () => {
    expect(find([])).toEqual([]);
    expect(find(from(0, 90_000, 1).map((one, i) => ({ ...one, doneCount: i })))).toEqual([]);
    expect(find([...from(0, 35_000, 1), ...from(40_000, 75_000, 2)])).toEqual([]);
    expect(find(from(0, 90_000, 1, 0))).toEqual([]);
    const emptied = [...from(0, 25_000, 1), sample(30_000, 1, 0), ...from(35_000, 60_000, 1)];
    expect(find(emptied)).toEqual([]);
  });

  it('a stall that nothing says is found, for each way to say it', () => {
    expect(find(stuck)).toEqual([
      'wallet.outbox made no progress for 45 s, and no log said so',
      'wallet.outbox made no progress for 45 s, and no readyz said so',
    ]);
    expect(find([...stuck, sample(50_000, 3)])).toHaveLength(2);
  });

  it('what was not seen is not judged: a gap in the samples, or no daemon without a fault', () => {
    expect(find([...from(0, 25_000, 2), ...from(35_000, 60_000, 2)])).toEqual([]);
    const stopped = { kind: 'stops', target: 'first', fromMs: 10_000, toMs: 12_000 };
    expect(find(stuck, [], [stopped])).toEqual([]);
    expect(find(stuck, [], [{ ...stopped, target: 'second' }])).toHaveLength(2);
    expect(find(stuck, [], [{ ...stopped, fromMs: 50_000, toMs: 60_000 }])).toHaveLength(2);
  });

  it('an alert in time, of that part and in that way, is enough', () => {
    const readyz = { ...alert, over: 'readyz' } as const;
    expect(find(stuck, [alert, readyz])).toEqual([]);
    expect(find(stuck, [readyz])).toHaveLength(1);
    expect(find(stuck, [{ ...alert, part: 'mail' }, readyz])).toHaveLength(1);
    expect(find(stuck, [{ ...alert, atMs: 41_001 }, readyz])).toHaveLength(1);
    expect(find(stuck, [{ ...alert, atMs: 999 }, readyz])).toHaveLength(1);
  });
});
