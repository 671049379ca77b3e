import { createLockedWallets } from '../locked-wallets.ts';
import type { Item } from '../commit-item.ts';
import { commitItems, isOverdue, type CommitOptions } from '../commit-items.ts';
import { createCommitQueue } from './commit-queue.ts';
import type { Batch } from './wallet-owners.ts';
import { createSmallCommits } from '../small-commits.ts';
import { slowMs, watchCommits } from '../watch-commits.ts';

export type ScheduleOptions<Command, Answer> = CommitOptions<Command, Answer> & {
  /** How many commits may be under way at once. */
  readonly maxCommits: number;
};

/** A commit of fewer costs nearly as much as one of so many: they share one. */
const worthItsOwn = 256;

/**
 * Begins a commit when one more may be under way and there is enough for it. What is less is one
 * small commit at a time: two of thirty each cost nearly twice what one of sixty does.
 */
export function createScheduler<Command, Answer>(
  options: ScheduleOptions<Command, Answer>,
  onRoom: () => void,
) {
  /** Since when each commit is under way, by `performance.now`. */
  const underWay = new Map<Batch<Command, Answer>, number>();
  let isLookDue = false;
  let pushed = 0;
  let idleListeners: (() => void)[] = [];
  // What was answered may have stood in the way of others.
  const watch = watchCommits<Command, Answer>(() => look());
  const lockedWallets = createLockedWallets(options, watch, () => look());
  const queue = createCommitQueue(lockedWallets);
  const isBusy = (): boolean => underWay.size > 0 || queue.size() > 0 || !lockedWallets.isEmpty();

  const run = async (batch: Batch<Command, Answer>): Promise<void> => {
    const { items } = batch;
    underWay.set(batch, performance.now());
    const commit = () => commitItems(items, options, 'wait');
    const busy = await watch.run(items, commit, () => queue.drop(isOverdue));
    if (busy.length > 0) lockedWallets.add(busy);
    queue.release(batch);
    underWay.delete(batch);
  };
  /** Undefined if a commit of at least so many cannot begin now. */
  const begin = (atLeast: number): Promise<void> | undefined => {
    if (underWay.size >= options.maxCommits || queue.countReady() < atLeast) return undefined;
    const batch = queue.take(atLeast);
    if (!batch) return undefined;
    onRoom();
    return run(batch);
  };
  const small = createSmallCommits({
    countPushed: () => pushed,
    commit: () => begin(1),
    onEnd: () => look(),
  });
  const look = (): void => {
    isLookDue = false;
    for (let large = begin(worthItsOwn); large; large = begin(worthItsOwn)) void large.then(look);
    onRoom();
    if (underWay.size < options.maxCommits && queue.countReady() > 0) small.begin();
    if (isBusy()) return;
    for (const notify of idleListeners) notify();
    idleListeners = [];
  };

  return {
    push: (item: Item<Command, Answer>): void => {
      item.no = pushed;
      pushed += 1;
      queue.push(item);
      // In a later turn of the loop, so that what came in one read is one batch.
      if (!isLookDue) setImmediate(look);
      isLookDue = true;
    },
    countQueued: queue.size,
    /** The same without what waits for a commit that takes long: others pass it. */
    countCrowding: (): number => {
      const slowSinceMs = performance.now() - slowMs;
      const slow = [...underWay].filter(([, sinceMs]) => sinceMs < slowSinceMs);
      return slow.reduce((left, [{ behind }]) => left - behind.size, queue.size());
    },
    /** Resolves when nothing is queued or in flight. */
    whenIdle: async (): Promise<void> => {
      while (isBusy()) await new Promise<void>((resolve) => idleListeners.push(resolve));
    },
  };
}
