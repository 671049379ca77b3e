import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { createFairQueue } from './fair-queue.ts';

/** A waiter: its path in the fair queue, and its deadline. */
export type Turn = {
  /** Keys that take turns, from the widest group to the narrowest. */
  readonly path: readonly string[];
  /** By the monotonic clock (`performance.now()`). */
  readonly deadlineMs: number;
  /** True once nothing waits for the result any more. */
  isCancelled(): boolean;
};

export type FairLimits = {
  readonly maxAtOnce: number;
  /** In all; past it, the newest of the longest branch is refused. */
  readonly maxWaiting: number;
  /** For each level of a path: of one key, so many may wait. */
  readonly maxWaitingOf: readonly number[];
};

export type FairSemaphore = {
  /**
   * Waits for a permit. OVERLOADED where too many wait, CANCELLED where the deadline passed or the
   * caller has gone. The permit is given back by the function in the result. `isResumed`: one who
   * had a permit before, and is not refused for the sake of the bounds.
   */
  acquire(turn: Turn, isResumed?: boolean): Promise<Result<() => void>>;
  /** Does the work with a permit. */
  run<T>(turn: Turn, work: () => Promise<T>): Promise<Result<T>>;
};

type Waiter = { readonly turn: Turn; resolve(result: Result<() => void>): void };

const overloaded = refuse('OVERLOADED', 'too many calls like this one at once: try again shortly');
const cancelled = refuse('CANCELLED', 'the call was given up before it was begun');

const isAbandoned = ({ deadlineMs, isCancelled }: Turn): boolean =>
  isCancelled() || performance.now() >= deadlineMs;

/** A semaphore whose waiters are served in turn: one of each network, one of each account, … */
export function createFairSemaphore(limits: FairLimits): FairSemaphore {
  const { maxAtOnce, maxWaiting, maxWaitingOf } = limits;
  const queue = createFairQueue<Waiter>();
  let running = 0;

  const grant = (): Result<() => void> => {
    let isReleased = false;
    return succeed(() => {
      if (isReleased) return;
      isReleased = true;
      running -= 1;
      next();
    });
  };
  const next = (): void => {
    while (running < maxAtOnce) {
      const waiter = queue.shift();
      if (!waiter) return;
      // Work that no one waits for is not started.
      if (isAbandoned(waiter.turn)) {
        waiter.resolve(cancelled);
        continue;
      }
      running += 1;
      waiter.resolve(grant());
    }
  };
  const isOver = (path: readonly string[]): boolean =>
    maxWaitingOf.some((most, level) => queue.sizeOf(path.slice(0, level + 1)) >= most);
  /** True if there is room for one more, for which another may have been refused. */
  const makeRoom = ({ path }: Turn): boolean => {
    if (queue.size() < maxWaiting && !isOver(path)) return true;
    for (const gone of queue.sweep(({ turn }) => isAbandoned(turn))) gone.resolve(cancelled);
    if (isOver(path)) return false;
    if (queue.size() < maxWaiting) return true;
    if (queue.longest() <= queue.sizeOf(path.slice(0, 1)) + 1) return false;
    queue.popLongest()?.resolve(overloaded);
    return true;
  };

  const acquire = (turn: Turn, isResumed = false): Promise<Result<() => void>> => {
    if (isAbandoned(turn)) return Promise.resolve(cancelled);
    if (running < maxAtOnce) {
      running += 1;
      return Promise.resolve(grant());
    }
    if (!isResumed && !makeRoom(turn)) return Promise.resolve(overloaded);
    // What has begun is finished first: otherwise many calls at once all end late.
    return new Promise((resolve) => queue.push(turn.path, { turn, resolve }, isResumed));
  };
  return {
    acquire,
    run: async (turn, work) => {
      const permit = await acquire(turn);
      if (!permit.ok) return permit;
      try {
        return succeed(await work());
      } finally {
        permit.value();
      }
    },
  };
}
