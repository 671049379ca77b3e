import { indexEntries, listAsked, type Asked } from './commands.ts';
import { describeCommand, differenceFromCommand, differenceOfOther } from './contents.ts';
import type { Checker, Violation } from './violation.ts';

const ofSystem = 3;

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
  const index = indexEntries(entries);
  const asked = listAsked(attempts);
  const acceptedIds = new Set(
    asked.filter(({ accepted }) => accepted.length > 0).map(({ command }) => command.transactionId),
  );
  for (const one of asked) {
    const { command, open, refused } = one;
    if (open.length === 0 || acceptedIds.has(command.transactionId)) continue;
    const [entry, ...others] = index.own(command);
    const sides = index.others(command);
    const violate = (what: string): void =>
      void violations.push({
        ...{ checker: 'retries', walletId: command.walletId },
        seq: entry && BigInt(entry.seq),
        what: `${describeCommand(command)}: ${what}`,
      });
    if (refused.length === 0) violate('was never answered');
    if (sides.length !== (entry && command.pair ? 1 : 0)) {
      violate(`is there on ${sides.length} other wallets`);
    }
    if (!entry) continue;
    if (others.length > 0) violate(`is there ${others.length + 1} times`);
    if (isRefusedAtLast(one, endMs)) {
      violate(`${refused[0]?.outcome.reason} at last, and there all the same`);
    }
    const differences = [
      differenceFromCommand(command, entry, index.parent(command)),
      ...sides.map((side) => differenceOfOther(command, entry, side)),
    ];
    for (const difference of differences) if (difference !== undefined) violate(difference);
  }
  const ids = new Set(asked.map(({ command }) => command.transactionId));
  for (const { id, wallet_id: walletId, seq, source } of entries) {
    // What walletd does by itself is looked at with the holds.
    if (ids.has(id) || source === ofSystem) continue;
    const what = `transaction ${id} was not asked for`;
    violations.push({ checker: 'retries', walletId, seq: BigInt(seq), what });
  }
  return violations;
};
