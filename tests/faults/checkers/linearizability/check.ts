import { findOrder, type Found } from './search.ts';
import { listOperations } from './operations.ts';
import type { Checker, Violation } from '../violation.ts';

/**
 * The calls on each wallet had their effects one after the other, each at one moment between its
 * start and its end, with the answers that the model of the ledger gives in that order.
 */
export const checkLinearizability: Checker = (history, { entries }) => {
  const violations: Violation[] = [];
  for (const [walletId, operations] of listOperations(history, entries)) {
    const found = findOrder(operations);
    if (!found.isLinearizable) violations.push(toViolation(walletId, found));
  }
  return violations;
};

function toViolation(walletId: string, { stuck }: Found): Violation {
  const checker = 'linearizability';
  if (!stuck) return { checker, walletId, what: 'two transactions have one seq' };
  const { operation, seq } = stuck;
  const { text, startMs, endMs } = operation;
  const times = [startMs, endMs].map((ms) => (ms / 1_000).toFixed(3)).join(' to ');
  const what = `no order explains ${text} (${times} s) after seq ${seq}`;
  return { checker, walletId, seq: BigInt(seq), what };
}
