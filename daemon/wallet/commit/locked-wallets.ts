import { setTimeout as sleep } from 'node:timers/promises';

import { countCommands, type Item } from './commit-item.ts';
import { commitItems, giveUpBusy, isOverdue, type CommitOptions } from './commit-items.ts';
import type { CommitWatch } from './watch-commits.ts';

/** How often a locked wallet is tried. */
const tryEveryMs = 50;
/**
 * A wallet that was locked is not trusted to be free for so long, or until something is done on it:
 * its commands begin here.
 */
const suspectMs = 10_000;
/** Commands in one try, of all wallets and of one. */
const maxBatch = 1_024;
const maxOfWallet = 256;
/** Past it the commands of a wallet that is locked are refused at once. */
const maxWaiting = 1_024;

/**
 * Commands on a wallet; or on several, once a command concerns two of them: these stay together
 * until the queue is empty, so that each wallet keeps its order.
 */
type Queue<Command, Answer> = {
  items: Item<Command, Answer>[];
  readonly keys: Set<string>;
  /** `performance.now` after which the empty queue is given up. */
  suspectUntilMs: number;
  /** The queue that has its items since they were joined. */
  joinedTo: Queue<Command, Answer> | undefined;
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
  const { queues, listQueues, drop, moveBack, queueOf } = createQueues<Command, Answer>();
  let isTrying = false;

  const isEmpty = (): boolean => [...queues.values()].every(({ items }) => items.length === 0);
  const tryOnce = async (): Promise<void> => {
    const { batch, tried } = takeSome(listQueues());
    // Others come first next time.
    for (const queue of tried.keys()) moveBack(queue);
    const busy = await watch.run(
      batch,
      () => commitItems(batch, options, 'skip'),
      () => dropOverdue(listQueues()),
    );
    const left = new Set(busy);
    for (const [served, taken] of tried) {
      const queue = currentOf(served);
      queue.items = [...taken.filter((item) => left.has(item)), ...queue.items];
      // Its last command in this try was left out, or refused for that.
      if (taken.at(-1)?.isBusy === true) queue.suspectUntilMs = performance.now() + suspectMs;
      else if (queue.items.length === 0) drop(queue);
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
    for (const queue of listQueues()) {
      if (queue.items.length === 0 && nowMs >= queue.suspectUntilMs && !isTrying) drop(queue);
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
        const queue = queueOf(item.keys);
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

/** The queues by the wallets that they are of. */
function createQueues<Command, Answer>() {
  const queues = new Map<string, Queue<Command, Answer>>();
  const listQueues = (): Set<Queue<Command, Answer>> => new Set(queues.values());
  const drop = (queue: Queue<Command, Answer>): void => {
    for (const key of queue.keys) queues.delete(key);
  };
  const moveBack = (queue: Queue<Command, Answer>): void => {
    drop(queue);
    for (const key of queue.keys) queues.set(key, queue);
  };
  /** The queue of these wallets. What was in several, for none of them the same wallet, is joined. */
  const queueOf = (keys: readonly string[]): Queue<Command, Answer> => {
    const known = new Set(keys.flatMap((key) => queues.get(key) ?? []));
    const [first, ...rest] = known;
    const queue = first ?? createQueue<Command, Answer>();
    for (const other of rest) {
      queue.items = [...queue.items, ...other.items];
      queue.suspectUntilMs = Math.max(queue.suspectUntilMs, other.suspectUntilMs);
      for (const key of other.keys) queue.keys.add(key);
      other.joinedTo = queue;
    }
    for (const key of keys) queue.keys.add(key);
    if (known.size !== 1 || keys.length > 1) for (const key of queue.keys) queues.set(key, queue);
    return queue;
  };
  return { queues, listQueues, drop, moveBack, queueOf };
}

const createQueue = <Command, Answer>(): Queue<Command, Answer> => ({
  items: [],
  keys: new Set(),
  suspectUntilMs: 0,
  joinedTo: undefined,
});

/** The queue that has its items now. */
function currentOf<Command, Answer>(queue: Queue<Command, Answer>): Queue<Command, Answer> {
  let current = queue;
  while (current.joinedTo) current = current.joinedTo;
  return current;
}

/** Answers what waits and is out of time. */
function dropOverdue<Command, Answer>(queues: Iterable<Queue<Command, Answer>>): void {
  for (const queue of queues) queue.items = queue.items.filter((item) => !isOverdue(item));
}

/** Some of each queue's items, from the queues that were served longest ago. */
function takeSome<Command, Answer>(queues: Iterable<Queue<Command, Answer>>) {
  const batch: Item<Command, Answer>[] = [];
  const tried = new Map<Queue<Command, Answer>, readonly Item<Command, Answer>[]>();
  let roomLeft = maxBatch;
  for (const queue of queues) {
    const { count, commands } = countFitting(queue.items, Math.min(maxOfWallet, roomLeft));
    const taken = queue.items.splice(0, count);
    if (taken.length === 0) continue;
    batch.push(...taken);
    tried.set(queue, taken);
    roomLeft -= commands;
  }
  return { batch, tried };
}

/** How many items from the first on have at most so many commands, and how many these have. */
function countFitting<Command, Answer>(
  items: readonly Item<Command, Answer>[],
  maxCommands: number,
): { readonly count: number; readonly commands: number } {
  let [count, commands] = [0, 0];
  for (const item of items) {
    if (commands + countCommands(item) > maxCommands) break;
    commands += countCommands(item);
    count += 1;
  }
  return { count, commands };
}
