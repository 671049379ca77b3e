import { setTimeout as sleep } from 'node:timers/promises';

const dayMs = 86_400_000;
/** What prints dates, or counts what was spent on a day, takes less than this. */
const neededMs = 240_000;

/** For `waitPastMidnight` in a hook. */
export const midnightTimeoutMs = neededMs + 60_000;

/** Waits for the next day by UTC if it is near, for runs that must not see a change of the date. */
export async function waitPastMidnight(): Promise<void> {
  const leftMs = dayMs - (Date.now() % dayMs);
  if (leftMs < neededMs) await sleep(leftMs + 1_000);
}
