import {
  describeCommand,
  differenceFromAnswer,
  differenceFromCommand,
  differenceOfOther,
} from './contents.ts';
import { indexEntries, listAsked } from './commands.ts';
import type { Checker, Violation } from './violation.ts';

/**
 * What was answered OK is in the ledger exactly once, with what was asked for and what the answer
 * said; with two wallets on both of them, or on neither.
 */
export const checkAnsweredOnce: Checker = ({ attempts }, { entries }) => {
  const violations: Violation[] = [];
  const index = indexEntries(entries);
  for (const { command, accepted } of listAsked(attempts)) {
    const [first] = accepted;
    if (!first) continue;
    const violate = (what: string): void =>
      void violations.push({
        ...{ checker: 'answered once', walletId: command.walletId, seq: first.outcome.seq },
        what: `${describeCommand(command)}: ${what}`,
      });
    const [entry, ...others] = index.own(command);
    if (!entry || others.length > 0) {
      violate(entry ? `is there ${others.length + 1} times` : 'answered OK, and not there');
      continue;
    }
    const sides = index.others(command);
    if (sides.length !== (command.pair ? 1 : 0)) {
      violate(`has ${sides.length} entries on other wallets`);
      continue;
    }
    const differences = new Set([
      differenceFromCommand(command, entry, index.parent(command)),
      ...sides.map((side) => differenceOfOther(command, entry, side)),
      ...accepted.map(({ outcome }) => differenceFromAnswer(outcome, entry)),
    ]);
    for (const difference of differences) if (difference !== undefined) violate(difference);
  }
  return violations;
};
