import { succeed, type Result } from '../../../core/reasons.ts';
import { createTransientRejection } from '../transient-rejection.ts';
import type { FairSemaphore, Turn } from './fair-semaphore.ts';

export type Pause = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Does work with a permit of each semaphore. `pause` gives the permits back while other work runs,
 * and takes new ones after it; where the caller has gone by then, it throws a transient rejection.
 */
export async function runPausable<T>(
  semaphores: readonly FairSemaphore[],
  turn: Turn,
  work: (pause: Pause) => Promise<Result<T>>,
): Promise<Result<T>> {
  const held: (() => void)[] = [];
  const giveBack = (): void => held.splice(0).forEach((give) => give());
  const take = async (isResumed: boolean): Promise<Result<object>> => {
    for (const semaphore of semaphores) {
      const permit = await semaphore.acquire(turn, isResumed);
      if (!permit.ok) return permit;
      held.push(permit.value);
    }
    return succeed({});
  };
  const pause: Pause = async (paused) => {
    giveBack();
    const result = await paused();
    const resumed = await take(true);
    if (!resumed.ok) throw createTransientRejection(resumed.rejection);
    return result;
  };
  try {
    const admitted = await take(false);
    return admitted.ok ? await work(pause) : admitted;
  } finally {
    giveBack();
  }
}
