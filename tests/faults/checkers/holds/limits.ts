import type { EntryRow, LimitsRow } from '../../../support/ledger/final-rows.ts';
import { sizeOf } from '../../../support/ledger/wallet-model.ts';
import type { Command } from '../../record/history.ts';
import { describeCommand } from '../contents.ts';
import { groupBy } from '../group.ts';
import type { Checker, Violation } from '../violation.ts';

const [withdraw, purchase, transfer, hold, fee] = [2, 3, 6, 7, 11];
const limited: ReadonlySet<string> = new Set(['withdraw', 'purchase', 'transfer', 'hold', 'fee']);
const hourMs = 3_600_000;

/** A limit, and when its window begins for an entry of this time. */
type Window = { readonly name: string; readonly limit: bigint; startOf(atMs: number): number };

/**
 * No debit or hold passed a spending limit of its wallet: what was debited since the window began
 * and is reserved after it is within the limit. None was refused for a limit that it would not have
 * passed at any time, and nothing else was refused for one: what a capture takes has counted since
 * it was reserved. A run sets limits before its load, and not again.
 */
export const checkLimits: Checker = ({ attempts }, { wallets, entries }) => {
  const violations: Violation[] = [];
  const byWallet = groupBy(entries, (entry) => entry.wallet_id);
  const refused = groupBy(
    attempts.flatMap(({ command, outcome }) =>
      outcome?.kind === 'refused' && outcome.reason === 'LIMIT_EXCEEDED' ? [command] : [],
    ),
    ({ walletId }) => walletId,
  );
  for (const { id: walletId, limits } of wallets) {
    if (!limits) continue;
    const rows = byWallet.get(walletId) ?? [];
    for (const { seq, what } of findPassed(limits, rows)) {
      violations.push({ checker: 'limits', walletId, seq: BigInt(seq), what });
    }
    for (const what of findTooStrict(limits, rows, refused.get(walletId) ?? [])) {
      violations.push({ checker: 'limits', walletId, what });
    }
  }
  return violations;
};

/** Refusals that no limit explains, even if all debits of the wallet were in its window. */
function findTooStrict(
  limits: LimitsRow,
  rows: readonly EntryRow[],
  refused: readonly Command[],
): readonly string[] {
  let [debited, held, most] = [0n, 0n, 0n];
  for (const row of rows) {
    const amount = BigInt(row.amount);
    debited += amount < 0n ? -amount : 0n;
    held += BigInt(row.held ?? 0);
    if (debited + held > most) most = debited + held;
  }
  const single = limits.perTransaction === undefined ? [] : [BigInt(limits.perTransaction)];
  const total = listWindows(limits).map(({ limit }) => limit - most);
  const isExplained = ({ operation, amountMinor = 0n, groupId }: Command): boolean => {
    if (!limited.has(operation)) return false;
    // What comes before it in its group counts too, and is not there if the group is refused.
    return groupId !== undefined || [...single, ...total].some((left) => amountMinor > left);
  };
  return refused
    .filter((command) => !isExplained(command))
    .map((command) => `${describeCommand(command)}: refused for a limit that it does not pass`);
}

function findPassed(limits: LimitsRow, rows: readonly EntryRow[]) {
  const passed: { readonly seq: string; readonly what: string }[] = [];
  const windows = listWindows(limits);
  /** All debits up to each entry. */
  const debited: bigint[] = [];
  let held = 0n;
  for (const [i, row] of rows.entries()) {
    const amount = BigInt(row.amount);
    held += BigInt(row.held ?? 0);
    debited.push((debited[i - 1] ?? 0n) + (amount < 0n ? -amount : 0n));
    if (!isSpending(row)) continue;
    const size = row.operation === hold ? BigInt(row.held ?? 0) : sizeOf(amount);
    const most = limits.perTransaction;
    if (most !== undefined && size > BigInt(most)) {
      passed.push({ seq: row.seq, what: `${size} at once, the limit is ${most}` });
    }
    for (const { name, limit, startOf } of windows) {
      const startMs = startOf(Number(row.at_ms));
      const before = rows.findLastIndex(({ at_ms: at }) => Number(at) < startMs);
      const used = (debited[i] ?? 0n) - (debited[before] ?? 0n) + held;
      if (used > limit) passed.push({ seq: row.seq, what: `${used} in its ${name}, not ${limit}` });
    }
  }
  return passed;
}

/** What counts when it is entered: captures counted when they were reserved. */
const isSpending = ({ operation, amount }: EntryRow): boolean =>
  operation === hold ||
  ([withdraw, purchase, transfer, fee].includes(operation) && BigInt(amount) < 0n);

function listWindows({ day, rolling = [], timezone = 'UTC' }: LimitsRow): readonly Window[] {
  if (day !== undefined && !['UTC', ''].includes(timezone)) {
    throw new Error('the days of a run begin in UTC');
  }
  const days = day === undefined ? [] : [{ name: 'day', limit: BigInt(day), startOf: startOfDay }];
  return [
    ...days,
    ...rolling.map(({ hours, amount }) => ({
      ...{ name: `last ${hours} hours`, limit: BigInt(amount) },
      startOf: (atMs: number) => atMs - hours * hourMs,
    })),
  ];
}

const startOfDay = (atMs: number): number => atMs - (atMs % (24 * hourMs));
