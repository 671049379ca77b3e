import { describe, expect, it } from 'vitest';

import type { FinalRows } from '../../support/ledger/final-rows.ts';
import { withHeardAnswers } from '../record/heard-answers.ts';
import type { Accepted, Attempt, History } from '../record/history.ts';
import { checkAnsweredOnce } from './answered-once.ts';
import { checkAll } from './check-all.ts';
import { checkDuplicates } from './duplicates.ts';
import { checkRealTime } from './real-time.ts';
import { checkRefusals } from './refusals.ts';
import { checkRetries } from './retries.ts';
import {
  commands,
  makeAttempt,
  makeCommand,
  makeGoodRun,
  toAnswer,
  userIds,
  walletIds,
} from './simulated/good-run.ts';
import { toFinalRows } from './simulated/rows.ts';
import type { Checker } from './violation.ts';

const good = makeGoodRun();
const [walletId] = walletIds;

const find = (check: Checker, history: History, rows: FinalRows = good.rows): string[] =>
  check(withHeardAnswers(history), rows).map(({ seq, what }) => `${seq ?? '-'} ${what}`);

/** The run with other attempts of one key. */
const withAttempts = (key: string, attempts: readonly Attempt[]): History => ({
  ...good.history,
  attempts: [...good.history.attempts.filter(({ command }) => command.key !== key), ...attempts],
});
const answerOf = (seq: number): Accepted =>
  toAnswer(
    good.rows.entries.find((e) => e.wallet_id === walletId && e.seq === String(seq))!,
    false,
  );
const entriesWithout = (seq: number): FinalRows =>
  toFinalRows(
    good.rows.entries.filter((entry) => entry.wallet_id !== walletId || entry.seq !== String(seq)),
    good.rows.refusals,
  );
const unknown = { kind: 'unknown', reason: 'code 14' } as const;

describe('all checkers', () => {
  it('a good run has no violation', () => {
    expect(checkAll(good.history, good.rows)).toEqual([]);
  });
});

describe('repeats', () => {
  it('events that come again without a fault are found, and those beside a fault are not', () => {
    const { heard, faults } = good.history;
    expect([heard.length > 0, faults]).toEqual([true, []]);
    const again = { ...good.history, heard: [...heard, ...heard.slice(0, 1)] };
    const found = checkAll(again, good.rows).map(({ checker }) => checker);
    expect(found).toEqual(['repeats']);
    const kill = { kind: 'kills', target: 'first', fromMs: 0, toMs: 5 };
    expect(checkAll({ ...again, faults: [kill] }, good.rows)).toEqual([]);
  });
});

describe('answered once', () => {
  it('an answered transaction that is not there, or is there twice, is found', () => {
    const [lost] = find(checkAnsweredOnce, good.history, entriesWithout(3));
    expect(lost).toMatch(/^3 purchase of 200, key purchase, .*: answered OK, and not there$/);
    const [entry] = good.rows.entries.filter(({ id }) => id === commands.deposit.transactionId);
    const twice = toFinalRows([...good.rows.entries, entry!], good.rows.refusals);
    expect(find(checkAnsweredOnce, good.history, twice)).toContainEqual(
      expect.stringMatching(/^1 deposit .*: is there 2 times$/),
    );
  });

  it.each<[Partial<Accepted>, RegExp]>([
    [{ seq: 2n }, /seq is 3, not 2/],
    [{ amountMinor: 201n }, /amount is 200, not 201/],
    [{ balanceAfterMinor: 501n }, /balance after is 500, not 501/],
    [{ occurredAtMs: 1 }, /time is \d+, not 1/],
    [{ hash: 'ff' }, /hash is \w+, not ff/],
    [{ transactionId: 'x' }, /id is .*, not x/],
  ])('an answer with %s is found', (change, what) => {
    const wrong = { ...answerOf(3), ...change };
    const history = withAttempts('purchase', [makeAttempt(commands.purchase, [60, 70], wrong)]);
    expect(find(checkAnsweredOnce, history)).toEqual([expect.stringMatching(what)]);
  });

  it('a value that an answer leaves out is no violation', () => {
    const { transactionId } = commands.purchase;
    const bare = makeAttempt(commands.purchase, [60, 70], { kind: 'accepted', transactionId });
    expect(find(checkAnsweredOnce, withAttempts('purchase', [bare]))).toEqual([]);
  });

  it('an entry that is not what was asked for is found', () => {
    const asked = makeCommand(userIds[0], 'purchase', {
      ...{ operation: 'purchase', amountMinor: 200n, merchant: 'Butcher' },
    });
    const history = withAttempts('purchase', [makeAttempt(asked, [60, 70], answerOf(3))]);
    expect(find(checkAnsweredOnce, history)).toEqual([
      expect.stringMatching(/contra account is merchant:Bakery, not merchant:Butcher$/),
    ]);
  });
});

describe('duplicates', () => {
  it('equal answers to one key are no violation, other ones are', () => {
    const again = (change: Partial<Accepted>): History =>
      withAttempts('purchase', [
        makeAttempt(commands.purchase, [60, 70], answerOf(3)),
        makeAttempt(commands.purchase, [75, 80], { ...answerOf(3), isReplayed: true, ...change }),
      ]);
    expect(find(checkDuplicates, again({}))).toEqual([]);
    expect(find(checkDuplicates, again({ hash: undefined }))).toEqual([]);
    expect(find(checkDuplicates, again({ seq: 5n }))).toEqual([
      expect.stringMatching(/seq is 3, then 5$/),
    ]);
    expect(find(checkDuplicates, again({ balanceAfterMinor: 0n }))).toEqual([
      expect.stringMatching(/balanceAfterMinor is 500, then 0$/),
    ]);
    expect(find(checkDuplicates, again({ isReplayed: false }))).toEqual([
      expect.stringMatching(/2 answers say that they took effect$/),
    ]);
  });
});

describe('retries', () => {
  const open = [makeAttempt(commands.withdraw, [20, 30], unknown)];

  it('an operation that was never answered is found, whether it is there or not', () => {
    const history = withAttempts('withdraw', open);
    const never: unknown = expect.stringMatching(/withdraw .*: was never answered$/);
    expect(find(checkRetries, history)).toEqual([never]);
    const absent = find(checkRetries, history, entriesWithout(2));
    expect(absent).toEqual([never]);
  });

  it('an effect after the refusal of the retry is found; beside it, it is none', () => {
    const refused = { kind: 'refused', reason: 'INSUFFICIENT_FUNDS' } as const;
    const after = withAttempts('withdraw', [
      ...open,
      makeAttempt(commands.withdraw, [35, 40], refused),
    ]);
    expect(find(checkRetries, after)).toEqual([
      expect.stringMatching(/INSUFFICIENT_FUNDS at last, and there all the same$/),
    ]);
    const beside = withAttempts('withdraw', [
      ...open,
      makeAttempt(commands.withdraw, [25, 40], refused),
    ]);
    expect(find(checkRetries, beside)).toEqual([]);
  });

  it('an entry of other content, and one that was not asked for, are found', () => {
    const other = makeCommand(userIds[0], 'withdraw', { operation: 'withdraw', amountMinor: 1n });
    const history = withAttempts('withdraw', [makeAttempt(other, [20, 30], unknown)]);
    expect(find(checkRetries, history)).toContainEqual(
      expect.stringMatching(/^2 withdraw of 1, .*: amount is -300, not -1$/),
    );
    expect(find(checkRetries, withAttempts('withdraw', []))).toEqual([
      `2 transaction ${commands.withdraw.transactionId} was not asked for`,
    ]);
  });
});

describe('refusals', () => {
  it('a refused transaction that is there is found, whatever it was refused with', () => {
    for (const reason of ['INSUFFICIENT_FUNDS', 'WALLET_BUSY', 'DATABASE_UNAVAILABLE']) {
      const outcome = { kind: 'refused', reason } as const;
      const history = withAttempts('purchase', [makeAttempt(commands.purchase, [60, 70], outcome)]);
      expect(find(checkRefusals, history)).toEqual([
        expect.stringMatching(`^3 purchase .*: refused with ${reason}, and there$`),
      ]);
    }
  });

  it('another content that was refused for the key is no violation', () => {
    const other = makeCommand(userIds[0], 'purchase', { operation: 'withdraw', amountMinor: 1n });
    const conflict = { kind: 'refused', reason: 'IDEMPOTENCY_KEY_REUSED' } as const;
    const attempts = [...good.history.attempts, makeAttempt(other, [80, 90], conflict)];
    expect(find(checkRefusals, { ...good.history, attempts })).toEqual([]);
  });

  it('a message that is there although its rejection is stored is found', () => {
    const [refusal] = good.rows.refusals;
    const { transactionId, key } = commands.undo;
    const stored = { ...refusal!, transaction_id: transactionId, message_id: key };
    const refusals = [...good.rows.refusals, stored];
    expect(find(checkRefusals, good.history, { ...good.rows, refusals })).toContainEqual(
      expect.stringMatching(/^4 message .* with INSUFFICIENT_FUNDS is stored, and it is there$/),
    );
  });

  it('a rejection that is stored otherwise than it was heard is found', () => {
    expect(find(checkRefusals, { ...good.history, rejections: [] })).toEqual([
      expect.stringMatching(/stored as INSUFFICIENT_FUNDS, heard as undefined$/),
    ]);
    expect(find(checkRefusals, good.history, { ...good.rows, refusals: [] })).toEqual([
      expect.stringMatching(/heard as INSUFFICIENT_FUNDS, and no rejection is stored$/),
    ]);
  });
});

describe('real time', () => {
  it('a later request with a lower seq is found', () => {
    const attempts = good.history.attempts.map((attempt) =>
      attempt.command.key === 'deposit' ? { ...attempt, startMs: 72, endMs: 74 } : attempt,
    );
    expect(find(checkRealTime, { ...good.history, attempts })).toEqual([
      expect.stringMatching(/^1 deposit .* began after seq 3 was answered/),
    ]);
  });

  it('a retry of what was done earlier is no violation', () => {
    const late = makeAttempt(commands.deposit, [95, 99], { ...answerOf(1), isReplayed: true });
    const attempts = [...good.history.attempts, late];
    expect(find(checkRealTime, { ...good.history, attempts })).toEqual([]);
  });

  it('a time that falls is found in the answers and in the entries', () => {
    const early = { ...answerOf(3), occurredAtMs: 1 };
    const history = withAttempts('purchase', [makeAttempt(commands.purchase, [60, 70], early)]);
    expect(find(checkRealTime, history)).toEqual([
      expect.stringMatching(/^3 purchase .* has an earlier time/),
    ]);
    const entries = good.rows.entries.map((entry) =>
      entry.wallet_id === walletId && entry.seq === '2' ? { ...entry, at_ms: '1' } : entry,
    );
    expect(find(checkRealTime, good.history, { ...good.rows, entries })).toEqual([
      expect.stringMatching(/^2 has the time 1, after \d+$/),
    ]);
  });
});
