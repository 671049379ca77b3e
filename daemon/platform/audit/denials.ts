import type { Rejection } from '../../../core/reasons.ts';
import type { Principal } from '../access/access.ts';
import type { Log } from '../log.ts';
import { createMinuteCounter } from '../concurrency/minute-counter.ts';

type Actor = {
  readonly principal: Principal | { readonly kind: 'host' };
  readonly requestId: string;
};
type ForeignReport = (
  actor: Actor,
  method: string,
  rejection: Rejection,
  exists: () => Promise<boolean>,
) => void;

/** Looked for, for one caller in a minute: more than a person asks for, and soon answered. */
const maxPerMinute = 600;
/** Lookups that wait; they go one after the other, so that they take nothing from others. */
const maxWaiting = 2_000;

/**
 * Distinguishes a refused id that belongs to another user from one that does not exist. It does so
 * after the answer, which is the same for both and takes the same time. Guesses are counted apart
 * from denials, so that guessing ids that do not exist hides no denial.
 */
export function createDenialReport(options: {
  readonly recordDenial: (actor: Actor, method: string, rejection: Rejection) => void;
  readonly log: Log;
}): ForeignReport {
  const { recordDenial, log } = options;
  const guesses = createMinuteCounter();
  const waiting: (() => Promise<void>)[] = [];
  let isLooking = false;

  const lookAtAll = async (): Promise<void> => {
    for (let look = waiting.shift(); look; look = waiting.shift()) await look();
    isLooking = false;
  };

  return (actor, method, rejection, exists) => {
    const { principal } = actor;
    if (principal.kind !== 'user') return;
    const count = guesses.count(principal.userId);
    if (count > maxPerMinute) {
      if (count > maxPerMinute + 1) return;
      // What is guessed beyond is not looked for; that there was so much is on record.
      const denied = { target: '', details: { guesses: `more than ${maxPerMinute} in a minute` } };
      recordDenial(actor, method, { ...rejection, denied });
      return;
    }
    if (waiting.length >= maxWaiting) {
      log.warn({ actor: principal.userId, method }, 'too many refused ids wait to be looked for');
      return;
    }
    waiting.push(async () => {
      try {
        if (await exists()) recordDenial(actor, method, rejection);
      } catch (err) {
        log.warn({ err, method }, 'an id that was refused could not be looked for');
      }
    });
    if (!isLooking) {
      isLooking = true;
      setImmediate(() => void lookAtAll());
    }
  };
}
