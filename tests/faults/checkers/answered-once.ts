import { describeCommand, differenceFromAnswer, differenceFromCommand } from './contents.ts';
import { entriesById, listAsked } from './commands.ts';
import type { Checker, Violation } from './violation.ts';

/**
 * What was answered OK is in the ledger exactly once, with what was asked for and what the answer
 * said.
 */
export const checkAnsweredOnce: Checker = ({ attempts }, { entries }) => {
  const violations: Violation[] = [];
  const byId = entriesById(entries);
  for (const { command, accepted } of listAsked(attempts)) {
    const [first] = accepted;
    if (!first) continue;
    const violate = (what: string): void =>
      void violations.push({
        ...{ checker: 'answered once', walletId: command.walletId, seq: first.outcome.seq },
        what: `${describeCommand(command)}: ${what}`,
      });
    const [entry, ...others] = byId.get(command.transactionId) ?? [];
    if (!entry || others.length > 0) {
      violate(entry ? `is there ${others.length + 1} times` : 'answered OK, and not there');
      continue;
    }
    const [parent] = byId.get(command.parentId ?? '') ?? [];
    const differences = new Set([
      differenceFromCommand(command, entry, parent),
      ...accepted.map(({ outcome }) => differenceFromAnswer(outcome, entry)),
    ]);
    for (const difference of differences) if (difference !== undefined) violate(difference);
  }
  return violations;
};
