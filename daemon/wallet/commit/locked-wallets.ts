import { setTimeout as sleep } from 'node:timers/promises';

import {
  commitItems,
  giveUpBusy,
  isOverdue,
  type CommitOptions,
  type Item,
} from './commit-items.ts';
import type { CommitWatch } from './watch-commits.ts';

/** How often a locked wallet is tried. */
const tryEveryMs = 50;
/**
 * A wallet that was locked is not trusted to be free for so long, or until something is done on it:
 * its commands begin here.
 */
const suspectMs = 10_000;
/** In one try, of all wallets and of one. */
const maxBatch = 1_024;
const maxOfWallet = 256;
/** Past it the commands of a wallet that is locked are refused at once. */
const maxWaiting = 1_024;

type Queue<Command, Answer> = {
  items: Item<Command, Answer>[];
  /** `performance.now` after which the empty queue is given up. */
  suspectUntilMs: number;
};

export type LockedWallets<Command, Answer> = {
  /** Whether this wallet's commands have to wait here. */
  has(key: string): boolean;
  /** Adds commands whose wallets are locked, or were a moment ago, in order. */
  add(items: readonly Item<Command, Answer>[]): void;
  isEmpty(): boolean;
};

/**
 * Commands on wallets that another transaction has locked: they wait here, in order, so that all
 * others go on. Tried together every 50 ms, without waiting for a lock.
 */
export function createLockedWallets<Command, Answer>(
  options: CommitOptions<Command, Answer>,
  watch: CommitWatch<Command, Answer>,
  onEmpty: () => void,
): LockedWallets<Command, Answer> {
  const queues = new Map<string, Queue<Command, Answer>>();
  let isTrying = false;

  const queueOf = (key: string): Queue<Command, Answer> => {
    const known = queues.get(key) ?? { items: [], suspectUntilMs: 0 };
    queues.set(key, known);
    return known;
  };
  const isEmpty = (): boolean => [...queues.values()].every(({ items }) => items.length === 0);
  const tryOnce = async (): Promise<void> => {
    const batch = takeSome(queues);
    const busy = await watch.run(
      batch,
      () => commitItems(batch, options, 'skip'),
      () => dropOverdue(queues.values()),
    );
    const tried = new Set(batch.map(({ command }) => options.laneKey(command)));
    const left = new Map<string, Item<Command, Answer>[]>();
    for (const item of busy) {
      const key = options.laneKey(item.command);
      left.set(key, [...(left.get(key) ?? []), item]);
    }
    /** Its last command in this try was left out, or refused for that. */
    const isLocked = (key: string): boolean =>
      batch.findLast(({ command }) => options.laneKey(command) === key)?.isBusy === true;
    for (const key of tried) {
      const queue = queueOf(key);
      queue.items = [...(left.get(key) ?? []), ...queue.items];
      if (isLocked(key)) queue.suspectUntilMs = performance.now() + suspectMs;
      else if (queue.items.length === 0) queues.delete(key);
    }
    if (busy.length > 0) await sleep(tryEveryMs);
  };
  const tryAll = async (): Promise<void> => {
    if (isTrying) return;
    isTrying = true;
    while (!isEmpty()) await tryOnce();
    isTrying = false;
    onEmpty();
  };
  const forget = (): void => {
    const nowMs = performance.now();
    for (const [key, { items, suspectUntilMs }] of queues) {
      if (items.length === 0 && nowMs >= suspectUntilMs && !isTrying) queues.delete(key);
    }
  };

  return {
    has: (key) => {
      const queue = queues.get(key);
      if (queue === undefined) return false;
      if (queue.items.length === 0 && !isTrying) forget();
      return queues.has(key);
    },
    add: (items) => {
      const suspectUntilMs = performance.now() + suspectMs;
      for (const item of items) {
        const queue = queueOf(options.laneKey(item.command));
        queue.suspectUntilMs = suspectUntilMs;
        // Where the wallet was locked a while ago only, it is tried before any is refused.
        const isFull = queue.items.length >= maxWaiting && queue.items[0]?.isBusy === true;
        if (isFull) giveUpBusy(item);
        else queue.items.push(item);
      }
      void tryAll();
    },
    isEmpty: () => isEmpty() && !isTrying,
  };
}

/** Answers what waits and is out of time. */
function dropOverdue<Command, Answer>(queues: Iterable<Queue<Command, Answer>>): void {
  for (const queue of queues) queue.items = queue.items.filter((item) => !isOverdue(item));
}

/** Some of each wallet's items, from the wallets that were served longest ago. */
function takeSome<Command, Answer>(
  queues: Map<string, Queue<Command, Answer>>,
): Item<Command, Answer>[] {
  const batch: Item<Command, Answer>[] = [];
  for (const [key, queue] of [...queues]) {
    if (batch.length >= maxBatch) break;
    if (queue.items.length === 0) continue;
    batch.push(...queue.items.splice(0, Math.min(maxOfWallet, maxBatch - batch.length)));
    queues.delete(key);
    queues.set(key, queue);
  }
  return batch;
}
