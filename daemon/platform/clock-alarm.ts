import type { Log } from './log.ts';
import { createMinuteCounter } from './concurrency/minute-counter.ts';

/** What is refused where its time lies past the bound that a right clock would have kept. */
type BoundedValue = 'access token' | 'session' | 'refresh token' | 'API key' | 'mailed code';

export type ClockAlarm = {
  /** Warns that one was refused; at most once a minute for each kind. */
  report(what: BoundedValue): void;
  /** The same where `isPastBound` says so, which nothing waits for; at most 60 looks a minute. */
  lookLater(what: BoundedValue, isPastBound: () => Promise<boolean>): void;
};

const maxLooksPerMinute = 60;

/**
 * Warns the operator of stored times that lie in the future: the clock was ahead when they were
 * stored, or is behind now.
 */
export function createClockAlarm(log: Log): ClockAlarm {
  const reports = createMinuteCounter();
  const looks = createMinuteCounter();
  const report = (what: BoundedValue): void => {
    if (reports.count(what) > 1) return;
    log.warn({ what }, 'refused for a time too far in the future: check the clock of the database');
  };
  return {
    report,
    lookLater: (what, isPastBound) => {
      if (looks.count(what) > maxLooksPerMinute) return;
      isPastBound().then(
        (isPast) => {
          if (isPast) report(what);
        },
        // The database is unavailable, which the log says elsewhere.
        () => undefined,
      );
    },
  };
}
