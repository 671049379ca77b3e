import { entriesById, listAsked, type Asked } from './commands.ts';
import { describeCommand, differenceFromCommand } from './contents.ts';
import type { Checker, Violation } from './violation.ts';

/** True if the client had given up all other attempts when it asked once more and was refused. */
function isRefusedAtLast({ refused, open }: Asked, endMs: number): boolean {
  return refused.some(({ startMs }) =>
    open.every((attempt) => (attempt.endMs ?? endMs) <= startMs),
  );
}

/**
 * What was not answered is resolved by asking again under the same key: it is in the ledger once,
 * as it was asked for, or not at all. Nothing is there that was not asked for.
 */
export const checkRetries: Checker = ({ attempts, endMs }, { entries }) => {
  const violations: Violation[] = [];
  const byId = entriesById(entries);
  const asked = listAsked(attempts);
  const acceptedIds = new Set(
    asked.filter(({ accepted }) => accepted.length > 0).map(({ command }) => command.transactionId),
  );
  for (const one of asked) {
    const { command, open, refused } = one;
    if (open.length === 0 || acceptedIds.has(command.transactionId)) continue;
    const [entry, ...others] = byId.get(command.transactionId) ?? [];
    const violate = (what: string): void =>
      void violations.push({
        ...{ checker: 'retries', walletId: command.walletId },
        seq: entry && BigInt(entry.seq),
        what: `${describeCommand(command)}: ${what}`,
      });
    if (refused.length === 0) violate('was never answered');
    if (!entry) continue;
    if (others.length > 0) violate(`is there ${others.length + 1} times`);
    if (isRefusedAtLast(one, endMs)) {
      violate(`${refused[0]?.outcome.reason} at last, and there all the same`);
    }
    const [parent] = byId.get(command.parentId ?? '') ?? [];
    const difference = differenceFromCommand(command, entry, parent);
    if (difference !== undefined) violate(difference);
  }
  const ids = new Set(asked.map(({ command }) => command.transactionId));
  for (const { id, wallet_id: walletId, seq } of entries) {
    if (ids.has(id)) continue;
    const what = `transaction ${id} was not asked for`;
    violations.push({ checker: 'retries', walletId, seq: BigInt(seq), what });
  }
  return violations;
};
