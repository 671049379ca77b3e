import { hash, verify } from '@node-rs/argon2';

import type { Result } from '../../../core/reasons.ts';
import { createFairSemaphore } from '../../platform/concurrency/fair-semaphore.ts';
import type { FairCaller } from '../throttling/fair-caller.ts';

/** OWASP's recommendation for argon2id: 19 MiB, two passes, one lane. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const costPrefix = '$argon2id$v=19$m=19456,t=2,p=1$';

/**
 * Each hash takes 19 MiB and a core: more at once would let sign-ins crowd out the ledger. A tenth
 * of those that wait may come from one network, and half of these for one account.
 */
const limits = { maxAtOnce: 2, maxWaiting: 1_000, maxWaitingOf: [100, 50] };

export type Passwords = {
  hash(password: string, fairCaller: FairCaller): Promise<Result<string>>;
  /**
   * Takes the same time whether or not there is a hash to compare with, so that it does not tell
   * who has an account. `isOutdated`: the hash was made at another cost and should be replaced.
   */
  verify(
    phc: string | undefined,
    password: string,
    fairCaller: FairCaller,
  ): Promise<Result<{ readonly isMatch: boolean; readonly isOutdated: boolean }>>;
};

/**
 * argon2id, two at a time, in turn by network and account. OVERLOADED where too many wait,
 * CANCELLED where the caller has gone before its turn.
 */
export function createPasswords(): Passwords {
  const semaphore = createFairSemaphore(limits);
  const run = <T>(fairCaller: FairCaller, work: () => Promise<T>): Promise<Result<T>> => {
    const { network, account, deadlineMs } = fairCaller;
    const isCancelled = (): boolean => fairCaller.isCancelled();
    const place = { path: [network, account], deadlineMs, isCancelled };
    return fairCaller.pause(() => semaphore.run(place, work));
  };
  // Made now: the first unknown address must not take longer than the next.
  const dummy = hash('not the password of any user', cost);
  dummy.catch(() => undefined);
  return {
    hash: (password, fairCaller) => run(fairCaller, () => hash(password, cost)),
    verify: (phc, password, fairCaller) =>
      run(fairCaller, async () => {
        const fallback = await dummy;
        const isMatch = await verify(phc ?? fallback, password);
        return {
          isMatch: phc !== undefined && isMatch,
          isOutdated: phc !== undefined && !phc.startsWith(costPrefix),
        };
      }),
  };
}
