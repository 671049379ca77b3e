import { hash, verify } from '@node-rs/argon2';

import type { Result } from '../../core/reasons.ts';
import { createLimit } from './limit.ts';

/** OWASP's recommendation for argon2id: 19 MiB, two passes, one lane. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const costPrefix = '$argon2id$v=19$m=19456,t=2,p=1$';

/** Each hash takes 19 MiB and a core: more at once would let sign-ins crowd out the ledger. */
const maxAtOnce = 2;
const maxWaiting = 64;

export type Passwords = {
  hash(password: string): Promise<Result<string>>;
  /**
   * Takes the same time whether or not there is a hash to compare with, so that it does not tell
   * who has an account. `isOutdated`: the hash was made at another cost and should be replaced.
   */
  verify(
    phc: string | undefined,
    password: string,
  ): Promise<Result<{ readonly isMatch: boolean; readonly isOutdated: boolean }>>;
};

/** argon2id, at most two at a time; OVERLOADED when too many wait. */
export function createPasswords(): Passwords {
  const limit = createLimit({ maxAtOnce, maxWaiting });
  // Made now: the first unknown address must not take longer than the next.
  const dummy = hash('not the password of anybody', cost);
  dummy.catch(() => undefined);
  return {
    hash: (password) => limit(() => hash(password, cost)),
    verify: (phc, password) =>
      limit(async () => {
        const fallback = await dummy;
        const isMatch = await verify(phc ?? fallback, password);
        return {
          isMatch: phc !== undefined && isMatch,
          isOutdated: phc !== undefined && !phc.startsWith(costPrefix),
        };
      }),
  };
}
