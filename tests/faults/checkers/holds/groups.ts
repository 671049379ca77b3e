import { indexEntries, listAsked } from '../commands.ts';
import { describeCommand } from '../contents.ts';
import { groupBy } from '../group.ts';
import type { Checker, Violation } from '../violation.ts';

const checker = 'groups';

/**
 * Of a group all commands are in the ledger, or none; and where one was answered OK, none of the
 * others was refused.
 */
export const checkGroups: Checker = ({ attempts }, { entries }) => {
  const violations: Violation[] = [];
  const index = indexEntries(entries);
  const inGroups = listAsked(attempts).filter(({ command }) => command.groupId !== undefined);
  for (const group of groupBy(inGroups, ({ command }) => command.groupId ?? '').values()) {
    const there = group.filter(({ command }) => index.own(command).length > 0);
    const [first] = group;
    if (!first) continue;
    const violate = (what: string): void =>
      void violations.push({
        ...{ checker, walletId: first.command.walletId },
        what: `group ${first.command.groupId}: ${what}`,
      });
    if (there.length > 0 && there.length < group.length) {
      const missing = group.find((one) => !there.includes(one));
      const text = missing ? describeCommand(missing.command) : '';
      violate(`${there.length} of ${group.length} are there, and not ${text}`);
    }
    const accepted = group.filter((one) => one.accepted.length > 0);
    if (accepted.length > 0 && group.some((one) => one.refused.length > 0)) {
      violate(`${accepted.length} of ${group.length} were answered OK, and others refused`);
    }
  }
  return violations;
};
