import { createLockedWallets } from './locked-wallets.ts';
import { commitItems, isOverdue, type CommitOptions, type Item } from './commit-items.ts';
import { createSmallCommits } from './small-commits.ts';
import { watchCommits } from './watch-commits.ts';

export type LaneOptions<Command, Answer> = CommitOptions<Command, Answer> & {
  readonly laneCount: number;
};

/** 1,024: past it, the arrays of one statement cost more than a further commit saves. */
export const maxBatch = 1_024;
/** A commit of fewer costs nearly as much as one of so many: such lanes share one. */
const worthItsOwn = 256;

/** Commands whose order counts: at most one commit at a time has some of them. */
type Lane<Command, Answer> = { queue: Item<Command, Answer>[]; isBusy: boolean };

/**
 * A lane with much in it is committed beside the others. What the others have is one commit
 * together, and one at a time: two of thirty each cost nearly twice what one of sixty does.
 */
export function createLanes<Command, Answer>(
  options: LaneOptions<Command, Answer>,
  onRoom: () => void,
) {
  type OneLane = Lane<Command, Answer>;
  const create = (): OneLane => ({ queue: [], isBusy: false });
  const lanes = Array.from({ length: options.laneCount }, create);
  const laneOf = (command: Command): OneLane => {
    const lane = lanes[hashOf(options.laneKey(command)) % lanes.length];
    if (!lane) throw new Error('a group commit needs at least one lane');
    return lane;
  };
  const isBusy = (): boolean =>
    lanes.some((lane) => lane.isBusy || lane.queue.length > 0) || !lockedWallets.isEmpty();
  const listWaiting = (): OneLane[] =>
    lanes.filter((lane) => !lane.isBusy && lane.queue.length > 0);
  let idleListeners: (() => void)[] = [];
  let isLookDue = false;
  let pushed = 0;
  const watch = watchCommits<Command, Answer>(onRoom);

  const lockedWallets = createLockedWallets(options, watch, () => look());
  /** With what else their lanes have for the same wallets: nothing overtakes what waits. */
  const addLocked = (busy: readonly Item<Command, Answer>[]): void => {
    if (busy.length > 0) lockedWallets.add([...busy, ...takeBehind(lanes, busy, options.laneKey)]);
  };

  const commitOf = async (taken: readonly OneLane[]): Promise<void> => {
    for (const lane of taken) lane.isBusy = true;
    const batch = taken.flatMap((lane) => lane.queue.splice(0, maxBatch));
    onRoom();
    const commit = () => commitItems(batch, options, 'wait');
    addLocked(await watch.run(batch, commit, () => dropOverdue(taken)));
    for (const lane of taken) lane.isBusy = false;
  };
  const small = createSmallCommits({
    countPushed: () => pushed,
    commit: () => {
      const waiting = listWaiting();
      return waiting.length > 0 ? commitOf(waiting) : undefined;
    },
    onEnd: () => look(),
  });
  const look = (): void => {
    isLookDue = false;
    const waiting = listWaiting();
    const large = waiting.filter((lane) => lane.queue.length >= worthItsOwn);
    for (const lane of large) void commitOf([lane]).then(look);
    if (waiting.length > large.length) small.begin();
    if (isBusy()) return;
    for (const notify of idleListeners) notify();
    idleListeners = [];
  };

  return {
    push: (item: Item<Command, Answer>): void => {
      if (lockedWallets.has(options.laneKey(item.command))) {
        lockedWallets.add([item]);
        return;
      }
      laneOf(item.command).queue.push(item);
      pushed += 1;
      // In a later turn of the loop, so that what came in one read is one batch.
      if (!isLookDue) setImmediate(look);
      isLookDue = true;
    },
    queuedBeside: (command: Command): number => laneOf(command).queue.length,
    mostQueued: (): number => Math.max(...lanes.map((lane) => lane.queue.length)),
    /** Resolves when nothing is queued or in flight. */
    whenIdle: async (): Promise<void> => {
      while (isBusy()) await new Promise<void>((resolve) => idleListeners.push(resolve));
    },
  };
}

/** Answers what waits in lanes and is out of time. */
function dropOverdue<Command, Answer>(lanes: readonly Lane<Command, Answer>[]): void {
  for (const lane of lanes) lane.queue = lane.queue.filter((item) => !isOverdue(item));
}

/** Takes what lanes have for the wallets of these items. */
function takeBehind<Command, Answer>(
  lanes: readonly Lane<Command, Answer>[],
  items: readonly Item<Command, Answer>[],
  keyOf: (command: Command) => string,
): Item<Command, Answer>[] {
  const keys = new Set(items.map(({ command }) => keyOf(command)));
  const isOf = ({ command }: Item<Command, Answer>): boolean => keys.has(keyOf(command));
  return lanes.flatMap((lane) => {
    const found = lane.queue.filter(isOf);
    if (found.length > 0) lane.queue = lane.queue.filter((item) => !isOf(item));
    return found;
  });
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
