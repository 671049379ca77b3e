import { describe, expect, it } from 'vitest';

import { commands } from '../checkers/simulated/good-run.ts';
import { isLedgerRefusal, outcomeOfReason } from './outcomes.ts';
import { findStalls } from './progress.ts';
import { createRunRecord } from './record.ts';

const begun = { client: 'one', over: 'grpc', daemon: 'first' } as const;

describe('record of a run', () => {
  it('each request has its start and the time of its first answer; one without stays open', () => {
    let nowMs = 1;
    const record = createRunRecord(() => nowMs);
    const end = record.beginAttempt({ ...begun, command: commands.deposit });
    record.beginAttempt({ ...begun, command: commands.withdraw });
    const endRead = record.beginBalance({ ...begun, walletId: 'w', isNow: true });
    nowMs = 5;
    end({ kind: 'refused', reason: 'WALLET_BUSY' });
    endRead({ kind: 'balance', balanceMinor: 1n, seq: 1n, asOfMs: 3 });
    nowMs = 9;
    end({ kind: 'unknown', reason: 'late' });
    const { attempts, balances, endMs } = record.history();
    const times = attempts.map(({ startMs, endMs: endsMs, outcome }) => [startMs, endsMs, outcome]);
    expect(times).toEqual([
      [1, 5, { kind: 'refused', reason: 'WALLET_BUSY' }],
      [1, undefined, undefined],
    ]);
    expect(balances).toMatchObject([{ startMs: 1, endMs: 5, answer: { balanceMinor: 1n } }]);
    expect(endMs).toBe(9);
  });

  it('a fault has the time at which it began and its first end', () => {
    let nowMs = 10;
    const record = createRunRecord(() => nowMs);
    const end = record.beginFault('locks', 'w', 4);
    record.beginFault('kills', 'first');
    nowMs = 20;
    end();
    nowMs = 30;
    end();
    expect(record.history().faults).toEqual([
      { kind: 'locks', target: 'w', fromMs: 4, toMs: 20 },
      { kind: 'kills', target: 'first', fromMs: 10, toMs: undefined },
    ]);
  });
});

describe('outcomes', () => {
  it('a reason says either that nothing was done or that the outcome is unknown', () => {
    for (const reason of ['OUTCOME_UNKNOWN', 'INTERNAL', 'CANCELLED', '', 'code 14: reset']) {
      expect(outcomeOfReason(reason)).toEqual({ kind: 'unknown', reason });
    }
    for (const reason of ['WALLET_BUSY', 'DATABASE_UNAVAILABLE', 'SHUTTING_DOWN']) {
      expect(outcomeOfReason(reason)).toMatchObject({ kind: 'refused', reason });
      expect(isLedgerRefusal(reason)).toBe(false);
    }
    const refused = { kind: 'refused', reason: 'INSUFFICIENT_FUNDS', balanceMinor: 5n };
    expect(outcomeOfReason('INSUFFICIENT_FUNDS', 5n)).toEqual(refused);
    expect(isLedgerRefusal('INSUFFICIENT_FUNDS')).toBe(true);
  });
});

describe('stalls in a log', () => {
  it('the part of each whole line about one is found', () => {
    const line =
      '{"level":"warn","part":"wallet.outbox","reason":"x","msg":"no progress: there is work"}';
    const other = '{"level":"warn","part":"auth.mails","msg":"progress again"}';
    expect(findStalls([other, line, line.slice(0, -1)].join('\n'))).toEqual(['wallet.outbox']);
  });
});
