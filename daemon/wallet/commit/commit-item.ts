import type { Group } from './commit-groups.ts';

/** What is committed as a whole: a command, or those of an atomic group. */
export type Item<Command, Answer> = {
  /** The first of an atomic group, and the others of it; none of most. */
  readonly command: Command;
  readonly others: readonly Command[];
  readonly group: Group<Command, Answer>;
  /** Of `command`; the others follow. */
  readonly index: number;
  readonly keys: readonly string[];
  /** Grows with each item that is submitted. */
  no: number;
  /** A commit with this item is in doubt: it may have been done. */
  isInDoubt: boolean;
  /** Its wallet was locked by another transaction at the last look. */
  isBusy: boolean;
  /** Since when each look has found it so, by `performance.now`. */
  busySinceMs: number;
  /** At the last try the database answered, and was in the way. */
  isDatabaseBusy: boolean;
  /** It has failed by itself once, for no reason that is known. */
  isRetried: boolean;
  /** A commit with it in it is under way: it may be done. */
  isBegun: boolean;
  /** It has its answer: nothing later changes that, and it is not begun again. */
  isAnswered: boolean;
};

export const createItem = <Command, Answer>(
  command: Command,
  group: Group<Command, Answer>,
  index: number,
  keys: readonly string[],
  others: readonly Command[] = [],
): Item<Command, Answer> => ({
  command,
  others,
  group,
  index,
  keys,
  no: 0,
  isInDoubt: false,
  isBusy: false,
  busySinceMs: Infinity,
  isDatabaseBusy: false,
  isRetried: false,
  isBegun: false,
  isAnswered: false,
});

/** How many commands an item has. */
export const countCommands = <Command, Answer>(item: Item<Command, Answer>): number =>
  1 + item.others.length;

/** The commands of items, in their order. */
export function listCommands<Command, Answer>(items: readonly Item<Command, Answer>[]): Command[] {
  const commands: Command[] = [];
  for (const { command, others } of items) {
    commands.push(command);
    // Spreading nothing would cost as much as the rest.
    if (others.length > 0) commands.push(...others);
  }
  return commands;
}
