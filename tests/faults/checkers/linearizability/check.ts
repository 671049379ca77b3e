import { findOrder, type Found } from './search.ts';
import { listOperations, type WalletOperation } from './operations.ts';
import type { Checker, Violation } from '../violation.ts';

/**
 * The calls on each wallet had their effects one after the other, each at one moment between its
 * start and its end, with the answers that the model of the ledger gives in that order.
 */
export const checkLinearizability: Checker = (history, { entries }) => {
  const violations: Violation[] = [];
  for (const [walletId, operations] of listOperations(history, entries)) {
    const found = findOrder(operations);
    if (!found.isLinearizable) violations.push(toViolation(walletId, found, operations));
  }
  return violations;
};

function toViolation(
  walletId: string,
  { stuck }: Found,
  operations: readonly WalletOperation[],
): Violation {
  const checker = 'linearizability';
  if (!stuck) return { checker, walletId, what: 'two transactions have one seq' };
  const { operation, seq } = stuck;
  const around = operations.filter((one) => isNear(one, operation, seq)).map(describe);
  const what = `no order explains ${describe(operation)} after seq ${seq}, of:`;
  return { checker, walletId, seq: BigInt(seq), what: [what, ...around].join('\n    ') };
}

/** What a reader needs in order to see why: the entries next to it, and what overlaps it. */
function isNear(one: WalletOperation, { startMs, endMs }: WalletOperation, seq: number): boolean {
  const isNext = one.kind === 'effect' && Math.abs((one.seq ?? Infinity) - seq) <= 4;
  return isNext || (one.startMs <= endMs && one.endMs >= startMs && one.endMs !== Infinity);
}

function describe(operation: WalletOperation): string {
  const times = [operation.startMs, operation.endMs].map((ms) => (ms / 1_000).toFixed(3));
  const { balance, seq } =
    operation.kind === 'effect'
      ? { balance: operation.balanceAfterMinor, seq: operation.seq }
      : { balance: operation.balanceMinor, seq: undefined };
  const state = `${seq === undefined ? '' : `, seq ${seq}`}, balance ${balance ?? 'unknown'}`;
  return `${operation.text} (${times.join(' to ')} s${state})`;
}
