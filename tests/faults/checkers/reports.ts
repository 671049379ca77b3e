import type { EntryRow } from '../../support/ledger/final-rows.ts';
import type {
  BalanceRead,
  ReportedBalance,
  ReportedStatement,
  StatementRead,
} from '../record/history.ts';
import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

const checker = 'reports';

/**
 * Every balance as of a past time and every complete statement that was reported during the run is
 * what the ledger says of that time in the end.
 */
export const checkReports: Checker = ({ balances, statements }, { entries }) => {
  const byWallet = groupBy(entries, (entry) => entry.wallet_id);
  const rowsOf = (walletId: string): readonly EntryRow[] => byWallet.get(walletId) ?? [];
  return [
    ...balances.flatMap((read) => {
      const { isNow, answer, walletId } = read;
      if (isNow || answer?.kind !== 'balance') return [];
      return checkBalance(read, answer, rowsOf(walletId));
    }),
    ...statements.flatMap((read) => {
      const { answer, walletId } = read;
      return answer?.kind === 'statement' ? checkStatement(read, answer, rowsOf(walletId)) : [];
    }),
  ];
};

/** How many entries have a time before `endMs`; times never fall within a wallet. */
function countBefore(rows: readonly EntryRow[], endMs: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Number(rows[middle]?.at_ms) < endMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function checkBalance(
  { walletId, daemon }: BalanceRead,
  { balanceMinor, seq, asOfMs }: ReportedBalance,
  rows: readonly EntryRow[],
): readonly Violation[] {
  const last = rows[countBefore(rows, asOfMs + 1) - 1];
  const [lastSeq, lastBalance] = [BigInt(last?.seq ?? 0), BigInt(last?.balance_after ?? 0)];
  if (lastSeq === seq && lastBalance === balanceMinor) return [];
  const what =
    `${daemon} reported ${balanceMinor} at seq ${seq} as of ${new Date(asOfMs).toISOString()}; ` +
    `in the end it is ${lastBalance} at seq ${lastSeq}`;
  return [{ checker, walletId, seq, what }];
}

function checkStatement(
  { walletId, daemon, fromMs, toMs }: StatementRead,
  answer: ReportedStatement,
  rows: readonly EntryRow[],
): readonly Violation[] {
  const first = countBefore(rows, fromMs);
  const of = rows.slice(first, countBefore(rows, toMs));
  const sum = (isOf: (minor: bigint) => boolean): bigint =>
    of
      .map(({ amount }) => BigInt(amount))
      .reduce((all, minor) => (isOf(minor) ? all + minor : all), 0n);
  const openingMinor = BigInt(rows[first - 1]?.balance_after ?? 0);
  const expected = {
    opening: openingMinor,
    debits: -sum((minor) => minor < 0n),
    credits: sum((minor) => minor > 0n),
    closing: BigInt(of.at(-1)?.balance_after ?? openingMinor),
    // A statement does not show holds unless it is asked to.
    lines: of
      .filter(({ amount }) => BigInt(amount) !== 0n)
      .map(({ seq, id, balance_after: balance, hash }) => [seq, id, balance, hash].join(' '))
      .join(),
  };
  const found = {
    opening: answer.openingMinor,
    debits: answer.totalDebitMinor,
    credits: answer.totalCreditMinor,
    closing: answer.closingMinor,
    lines: answer.lines
      .map((line) => [line.seq, line.transactionId, line.balanceAfterMinor, line.hash].join(' '))
      .join(),
  };
  const names = (Object.keys(expected) as (keyof typeof expected)[]).filter(
    (name) => found[name] !== expected[name],
  );
  if (names.length === 0) return [];
  const period = [fromMs, toMs].map((ms) => new Date(ms).toISOString()).join(' to ');
  const texts = names.map((name) => describeDifference(name, found[name], expected[name]));
  const what = `${daemon} reported the complete statement of ${period}; ${texts.join(', ')}`;
  return [{ checker, walletId, seq: answer.lines.at(-1)?.seq, what }];
}

function describeDifference(
  name: string,
  found: bigint | string,
  expected: bigint | string,
): string {
  if (typeof found === 'bigint' || typeof expected === 'bigint') {
    return `${name} ${found}, in the end ${expected}`;
  }
  const [foundLines, expectedLines] = [found.split(','), expected.split(',')];
  const at = foundLines.findIndex((line, i) => line !== expectedLines[i]);
  const place = at === -1 ? foundLines.length : at;
  return `line ${place + 1} ${foundLines[place] ?? 'absent'}, in the end ${expectedLines[place] ?? 'absent'}`;
}
