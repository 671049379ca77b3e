/** A caller that waits for an attempt of a bucket. */
export type Waiter = {
  /** Wrong attempts that count against them already: those with fewer go first. */
  readonly failures: number;
  /** Groups with equal failures take turns: another network, or another account. */
  readonly group: string;
  isGone(): boolean;
  /**
   * Tries to take the attempt. `done`: taken, given up, or the waiter joined the queue of another
   * bucket. Otherwise the time until the bucket has an attempt.
   */
  attempt(): Promise<Tried>;
  /** Called when the queue is full, or when the waiter has waited for too long. */
  giveUp(retryAfterMs: number): void;
};

export type Tried = { readonly waitMs: number } | 'done';

export type AttemptQueue = {
  /** Queues a waiter for at most `maxWaitMs`. If the queue is full, the last in rank is dropped. */
  join(waiter: Waiter, maxWaitMs: number, readyInMs: number): void;
  /** The bucket may have an attempt earlier than expected. */
  wake(): void;
};

/** How much is known against a waiter. */
const rankOf = ({ failures }: Waiter): number => (failures <= 3 ? failures : failures < 10 ? 4 : 5);

type QueuedAttempt = {
  readonly waiter: Waiter;
  readonly number: number;
  readonly timer: NodeJS.Timeout;
  isExpired: boolean;
};

/** Groups that are remembered as served; one that is forgotten counts as never served. */
const maxServed = 1_024;

const compareBy =
  (servedAt: ReadonlyMap<string, number>) =>
  (a: QueuedAttempt, b: QueuedAttempt): number =>
    rankOf(a.waiter) - rankOf(b.waiter) ||
    (servedAt.get(a.waiter.group) ?? 0) - (servedAt.get(b.waiter.group) ?? 0) ||
    b.number - a.number;

function noteServed(servedAt: Map<string, number>, group: string, sequence: number): void {
  servedAt.delete(group);
  servedAt.set(group, sequence);
  const [longestAgo] = servedAt.keys();
  if (servedAt.size > maxServed && longestAgo !== undefined) servedAt.delete(longestAgo);
}

/**
 * Waiters for one bucket, tried one after the other as soon as it has an attempt. First those
 * against whom little is known; among equals the group that was served longest ago; in a group the
 * newest: a flood of guesses is older than the next right password, and is not answered before it.
 */
export function createAttemptQueue(maxWaiting: number, onEmpty: () => void): AttemptQueue {
  const queued = new Set<QueuedAttempt>();
  const servedAt = new Map<string, number>();
  let sequence = 0;
  let readyAtMs = 0;
  let isTrying = false;
  let timer: NodeJS.Timeout | undefined;

  const compare = compareBy(servedAt);
  const dismiss = (place: QueuedAttempt): void => {
    clearTimeout(place.timer);
    queued.delete(place);
    place.waiter.giveUp(Math.max(0, readyAtMs - performance.now()));
  };
  const tryNext = async (): Promise<void> => {
    const [first] = [...queued].sort(compare);
    if (!first) return;
    if (first.waiter.isGone()) {
      dismiss(first);
      return;
    }
    queued.delete(first);
    const tried = await first.waiter.attempt();
    if (tried === 'done') {
      clearTimeout(first.timer);
      noteServed(servedAt, first.waiter.group, (sequence += 1));
      return;
    }
    readyAtMs = performance.now() + tried.waitMs;
    if (first.isExpired) dismiss(first);
    else queued.add(first);
  };
  const advance = (): void => {
    clearTimeout(timer);
    if (isTrying) return;
    if (queued.size === 0) {
      onEmpty();
      return;
    }
    const waitMs = readyAtMs - performance.now();
    if (waitMs > 0) {
      timer = setTimeout(advance, Math.ceil(waitMs));
      return;
    }
    isTrying = true;
    void tryNext().finally(() => {
      isTrying = false;
      advance();
    });
  };
  const expire = (place: QueuedAttempt): void => {
    place.isExpired = true;
    if (!queued.has(place)) return;
    dismiss(place);
    advance();
  };
  return {
    join: (waiter, maxWaitMs, readyInMs) => {
      readyAtMs = Math.max(readyAtMs, performance.now() + readyInMs);
      const timer = setTimeout(() => expire(place), maxWaitMs);
      const place: QueuedAttempt = { waiter, number: (sequence += 1), timer, isExpired: false };
      queued.add(place);
      if (queued.size > maxWaiting) [...queued].sort(compare).slice(-1).forEach(dismiss);
      advance();
    },
    wake: () => {
      readyAtMs = 0;
      advance();
    },
  };
}
