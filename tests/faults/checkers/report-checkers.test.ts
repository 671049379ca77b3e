import { describe, expect, it } from 'vitest';

import type { FinalRows, LineRow } from '../../support/ledger/final-rows.ts';
import type { HeardEntry, History, ReportedBalance, ReportedStatement } from '../record/history.ts';
import { checkEvents, checkLines } from './projections.ts';
import { checkReports } from './reports.ts';
import { makeGoodRun, walletIds } from './simulated/good-run.ts';
import type { Checker } from './violation.ts';

const { history, rows } = makeGoodRun();
const [walletId] = walletIds;

const find = (check: Checker, of: Partial<History>, then: Partial<FinalRows> = {}): string[] =>
  check({ ...history, ...of }, { ...rows, ...then }).map(
    ({ seq, what }) => `${seq ?? '-'} ${what}`,
  );

describe('projections', () => {
  const isThird = (line: LineRow): boolean => line.wallet_id === walletId && line.seq === '3';
  const third = rows.lines.find(isThird)!;
  const isEvent = (event: HeardEntry): boolean => event.walletId === walletId && event.seq === 3n;
  const event = history.heard.find(isEvent)!;

  it('a good run, and events that come again, are no violation', () => {
    expect(find(checkLines, {})).toEqual([]);
    const heard = [...history.heard, { ...event, atMs: 900 }];
    expect(find(checkEvents, { heard })).toEqual([]);
  });

  it('a line that is missing, twice, of no entry or different is found', () => {
    const without = rows.lines.filter((line) => !isThird(line));
    expect(find(checkLines, {}, { lines: without })).toEqual(['3 no line']);
    const twice = [...rows.lines, third];
    expect(find(checkLines, {}, { lines: twice })).toEqual(['3 2 lines']);
    const more = [...rows.lines, { ...third, seq: '9' }];
    expect(find(checkLines, {}, { lines: more })).toEqual(['9 a line without an entry']);
    const changes: Partial<LineRow>[] = [
      ...[{ amount: '-201' }, { description: 'x' }, { previous_hash: '' }, { actor: '' }],
      ...[{ source: 'message' }, { at_ms: '1' }, { user_id: '' }, { contra_account: 'merchant' }],
    ];
    for (const change of changes) {
      const lines = [...without, { ...third, ...change }];
      expect(find(checkLines, {}, { lines })).toEqual(['3 the line differs from the entry']);
    }
  });

  it('an event that is missing, of no entry or different is found', () => {
    const without = history.heard.filter((heard) => !isEvent(heard));
    expect(find(checkEvents, { heard: without })).toEqual(['3 no event']);
    const more = [...history.heard, { ...event, seq: 9n }];
    expect(find(checkEvents, { heard: more })).toEqual(['9 an event without an entry']);
    const changes: Partial<HeardEntry>[] = [
      ...[{ amountMinor: 200n }, { transactionId: 'x' }, { previousHash: '' }, { hash: '' }],
      ...[{ occurredAtMs: 1 }, { balanceAfterMinor: 1n }, { operation: 'deposit' as const }],
    ];
    for (const change of changes) {
      const heard = [...history.heard, { ...event, ...change }];
      expect(find(checkEvents, { heard })).toEqual(['3 an event differs from the entry']);
    }
  });

  it('rows in the outbox and recorded divergences are found', () => {
    expect(find(checkLines, {}, { outboxRows: 2, divergences: 1 })).toEqual([
      '- 2 rows are left in the outbox',
      '- 1 divergences are recorded',
    ]);
  });
});

describe('reports', () => {
  const balance = history.balances.find(({ isNow }) => !isNow)!;
  const [statement] = history.statements;
  const withBalance = (change: Partial<ReportedBalance>): Partial<History> => ({
    balances: [{ ...balance, answer: { ...(balance.answer as ReportedBalance), ...change } }],
  });
  const withStatement = (change: Partial<ReportedStatement>): Partial<History> => ({
    statements: [
      { ...statement!, answer: { ...(statement!.answer as ReportedStatement), ...change } },
    ],
  });
  const { lines } = statement!.answer as ReportedStatement;

  it('reports that are still true are no violation, and neither is one without an answer', () => {
    expect(find(checkReports, {})).toEqual([]);
    expect(find(checkReports, { statements: [{ ...statement!, answer: undefined }] })).toEqual([]);
  });

  it('a balance as of a time that is another one now is found', () => {
    expect(find(checkReports, withBalance({ balanceMinor: 700n }))).toEqual([
      expect.stringMatching(
        /^3 second reported 700 at seq 3 as of .*; in the end it is 500 at seq 3$/,
      ),
    ]);
    // An entry got a time up to it afterwards.
    expect(find(checkReports, withBalance({ balanceMinor: 700n, seq: 2n }))).toEqual([
      expect.stringMatching(/in the end it is 500 at seq 3$/),
    ]);
    const { asOfMs } = balance.answer as ReportedBalance;
    expect(find(checkReports, withBalance({ asOfMs: asOfMs - 1 }))).toEqual([
      expect.stringMatching(/in the end it is 700 at seq 2$/),
    ]);
  });

  it('a complete statement that is another one now is found', () => {
    const changes: [Partial<ReportedStatement>, RegExp][] = [
      [{ openingMinor: 1n }, /opening 1, in the end 0$/],
      [{ closingMinor: 1n }, /closing 1, in the end 500$/],
      [{ totalDebitMinor: 1n }, /debits 1, in the end 500$/],
      [{ totalCreditMinor: 1n }, /credits 1, in the end 1000$/],
      [{ lines: lines.slice(0, 2) }, /line 3 absent, in the end 3 /],
      [{ lines: lines.slice(1) }, /line 1 2 .*, in the end 1 /],
      [{ lines: lines.map((line) => ({ ...line, hash: '' })) }, /line 1 1 .*, in the end 1 /],
    ];
    for (const [change, what] of changes) {
      expect(find(checkReports, withStatement(change))).toEqual([expect.stringMatching(what)]);
    }
  });
});
