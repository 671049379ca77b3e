import type { Random } from '../../../fuzz/random.ts';
import type { EntryRow, FinalRows, LineRow } from '../../../support/ledger/final-rows.ts';
import type {
  Accepted,
  Attempt,
  BalanceRead,
  History,
  Refused,
  ReportedBalance,
} from '../../record/history.ts';
import type { Run } from './good-run.ts';
import { pick, replace, without } from './lists.ts';
import { double, drop, dropSide, insertUnasked, swapNeighbours, undoTooMuch } from './rewrites.ts';
import { toFinalRows } from './rows.ts';

/** What a defect would have made of a run; undefined where the run has nothing to change. */
type Corrupt = (run: Run, random: Random) => Run | undefined;

/** Each kind of defect, with the checkers of which one at least must find it. */
export type Corruption = {
  readonly name: string;
  readonly checkers: readonly string[];
  readonly corrupt: Corrupt;
};

const withRows = ({ history, rows }: Run, change: Partial<FinalRows>): Run => ({
  history,
  rows: { ...rows, ...change },
});
const withHistory = ({ history, rows }: Run, change: Partial<History>): Run => ({
  history: { ...history, ...change },
  rows,
});

/** Changes one entry in place: its hash no longer belongs to it. */
const editEntry =
  (change: (entry: EntryRow) => Partial<EntryRow>): Corrupt =>
  (run, random) => {
    const entry = pick(random, run.rows.entries);
    if (!entry) return undefined;
    const entries = replace(run.rows.entries, entry, { ...entry, ...change(entry) });
    return withRows(run, { entries });
  };

/** Another ledger with valid numbers, sums and hashes, and lines that agree with it. */
const rewrite =
  (
    change: (entries: readonly EntryRow[], random: Random) => readonly EntryRow[] | undefined,
  ): Corrupt =>
  (run, random) => {
    const entries = change(run.rows.entries, random);
    return entries && withRows(run, toFinalRows(entries, run.rows.refusals));
  };

const editLine =
  (change: (line: LineRow) => LineRow | undefined): Corrupt =>
  (run, random) => {
    const line = pick(random, run.rows.lines);
    if (!line) return undefined;
    const changed = change(line);
    const { lines } = run.rows;
    return withRows(run, { lines: changed ? replace(lines, line, changed) : without(lines, line) });
  };

type With<Answer> = Attempt & { readonly outcome: Answer };

const editAnswer =
  (change: (answer: Accepted) => Partial<Accepted>): Corrupt =>
  (run, random) => {
    const { attempts } = run.history;
    const isAccepted = (one: Attempt): one is With<Accepted> => one.outcome?.kind === 'accepted';
    const attempt = pick(random, attempts.filter(isAccepted));
    if (!attempt) return undefined;
    const outcome = { ...attempt.outcome, ...change(attempt.outcome) };
    return withHistory(run, { attempts: replace(attempts, attempt, { ...attempt, outcome }) });
  };

const editBalance =
  (isNow: boolean, change: (answer: ReportedBalance) => Partial<ReportedBalance>): Corrupt =>
  (run, random) => {
    const { balances } = run.history;
    type Answered = BalanceRead & { readonly answer: ReportedBalance };
    const isIt = (read: BalanceRead): read is Answered =>
      read.isNow === isNow && read.answer?.kind === 'balance' && read.answer.seq > 0n;
    const read = pick(random, balances.filter(isIt));
    if (!read) return undefined;
    const answer = { ...read.answer, ...change(read.answer) };
    return withHistory(run, { balances: replace(balances, read, { ...read, answer }) });
  };

/** A retry that was answered as if it were the first attempt. */
const effectTwice: Corrupt = (run, random) => {
  const { attempts } = run.history;
  const own = pick(
    random,
    attempts.filter(({ outcome }) => outcome?.kind === 'accepted' && outcome.isReplayed === false),
  );
  if (own?.endMs === undefined) return undefined;
  const again = { ...own, startMs: own.endMs + 1, endMs: own.endMs + 2 };
  return withHistory(run, { attempts: [...attempts, again] });
};

/** What was refused is in the ledger all the same. */
const keepRefused: Corrupt = (run, random) => {
  const { attempts } = run.history;
  const isRefused = (one: Attempt): one is With<Refused> =>
    one.outcome?.kind === 'refused' && one.outcome.reason === 'INSUFFICIENT_FUNDS';
  const refused = pick(random, attempts.filter(isRefused));
  if (!refused) return undefined;
  const { transactionId: id, walletId, amountMinor, operation } = refused.command;
  const before = run.rows.entries.find((entry) => entry.wallet_id === walletId);
  if (!before || amountMinor === undefined) return undefined;
  if (operation !== 'withdraw' && operation !== 'purchase') return undefined;
  const entry: EntryRow = {
    ...{ ...before, id, operation: operation === 'withdraw' ? 2 : 3, source: 1 },
    ...{ amount: String(-amountMinor), parent_id: null },
    contra_account: operation === 'withdraw' ? 'external:cash' : contraOf(refused),
    at_ms: run.rows.entries.at(-1)?.at_ms ?? before.at_ms,
  };
  return withRows(run, toFinalRows([...run.rows.entries, entry], run.rows.refusals));
};

const contraOf = ({ command }: Attempt): string =>
  command.merchant === undefined ? 'merchant' : `merchant:${command.merchant}`;

/** The balance of a moment before the read began. */
const staleRead: Corrupt = (run, random) => {
  const { balances } = run.history;
  const read = pick(
    random,
    balances.filter(({ isNow, answer }) => isNow && answer?.kind === 'balance'),
  );
  if (read?.answer?.kind !== 'balance') return undefined;
  const { answer, walletId } = read;
  const later = run.history.heard.filter(
    (event) => event.walletId === walletId && event.seq > answer.seq,
  );
  const next = later.find(({ seq }) => seq === answer.seq + 1n);
  if (!next) return undefined;
  const [startMs, endMs] = [next.atMs + 1, next.atMs + 2];
  return withHistory(run, { balances: replace(balances, read, { ...read, startMs, endMs }) });
};

/** A refusal for want of money where there was enough all the time. */
const falseRefusal: Corrupt = (run, random) => {
  const { attempts } = run.history;
  const isIt = ({ outcome, over }: Attempt): boolean =>
    over !== 'message' && outcome?.kind === 'refused' && outcome.balanceMinor !== undefined;
  const attempt = pick(random, attempts.filter(isIt));
  if (!attempt) return undefined;
  const one = { operation: 'deposit' as const, amountMinor: 1n, pair: undefined };
  const command = { ...attempt.command, ...one };
  return withHistory(run, { attempts: replace(attempts, attempt, { ...attempt, command }) });
};

export const corruptions: readonly Corruption[] = [
  {
    ...{ name: 'a wallet has one unit more', checkers: ['conservation'] },
    corrupt: (run, random) => {
      const wallet = pick(random, run.rows.wallets);
      if (!wallet) return undefined;
      const more = { ...wallet, balance: String(BigInt(wallet.balance) + 1n) };
      return withRows(run, { wallets: replace(run.rows.wallets, wallet, more) });
    },
  },
  {
    ...{ name: 'an amount is edited', checkers: ['balances'] },
    corrupt: editEntry(({ amount }) => ({ amount: String(BigInt(amount) + 1n) })),
  },
  {
    ...{ name: 'a description is edited', checkers: ['hash chain'] },
    corrupt: editEntry(() => ({ description: 'edited' })),
  },
  {
    ...{ name: 'a number is edited', checkers: ['sequences'] },
    corrupt: editEntry(({ seq }) => ({ seq: String(BigInt(seq) + 1n) })),
  },
  {
    ...{ name: 'a balance is below its floor', checkers: ['floors'] },
    corrupt: editEntry(() => ({ balance_after: '-1' })),
  },
  { name: 'an entry is lost', checkers: ['answered once', 'retries'], corrupt: rewrite(drop) },
  {
    name: 'an entry is there twice',
    checkers: ['answered once', 'retries'],
    corrupt: rewrite(double),
  },
  { name: 'a side is lost', checkers: ['conservation'], corrupt: rewrite(dropSide) },
  { name: 'an undo is too large', checkers: ['undos'], corrupt: rewrite(undoTooMuch) },
  { name: 'an entry was not asked for', checkers: ['retries'], corrupt: rewrite(insertUnasked) },
  {
    name: 'two entries are swapped',
    checkers: ['answered once', 'real time'],
    corrupt: rewrite(swapNeighbours),
  },
  { name: 'a refused transaction is there', checkers: ['refusals'], corrupt: keepRefused },
  { name: 'a line is lost', checkers: ['projections'], corrupt: editLine(() => undefined) },
  {
    ...{ name: 'a line is edited', checkers: ['projections'] },
    corrupt: editLine((line) => ({ ...line, balance_after: '1' + line.balance_after })),
  },
  {
    ...{ name: 'an event is lost', checkers: ['projections'] },
    corrupt: (run, random) => {
      const event = pick(random, run.history.heard);
      return event && withHistory(run, { heard: without(run.history.heard, event) });
    },
  },
  {
    ...{ name: 'an answer has another seq', checkers: ['answered once'] },
    corrupt: editAnswer(({ seq = 0n }) => ({ seq: seq + 1n })),
  },
  {
    ...{ name: 'an answer has another balance', checkers: ['answered once'] },
    corrupt: editAnswer(({ balanceAfterMinor = 0n }) => ({
      balanceAfterMinor: balanceAfterMinor + 1n,
    })),
  },
  { name: 'a key takes effect twice', checkers: ['duplicates'], corrupt: effectTwice },
  {
    ...{ name: 'a past balance has changed', checkers: ['reports'] },
    corrupt: editBalance(false, ({ balanceMinor }) => ({ balanceMinor: balanceMinor + 1n })),
  },
  {
    ...{ name: 'a statement has changed', checkers: ['reports'] },
    corrupt: (run, random) => {
      const { statements } = run.history;
      const read = pick(random, statements);
      if (read?.answer?.kind !== 'statement') return undefined;
      const answer = { ...read.answer, closingMinor: read.answer.closingMinor + 1n };
      return withHistory(run, { statements: replace(statements, read, { ...read, answer }) });
    },
  },
  {
    ...{ name: 'a balance of now never was', checkers: ['linearizability'] },
    corrupt: editBalance(true, ({ balanceMinor }) => ({ balanceMinor: balanceMinor + 1n })),
  },
  { name: 'a balance of now is stale', checkers: ['linearizability'], corrupt: staleRead },
  { name: 'a refusal has no reason', checkers: ['linearizability'], corrupt: falseRefusal },
];
