import type { TestDatabase } from './database.ts';

/**
 * Ends the connections of the product to a database every 40 ms until it is stopped, but not twice
 * without progress: to connect again may take longer than that.
 */
export function killConnections(
  { query }: Pick<TestDatabase, 'query'>,
  countDone: () => number,
): { stop(): Promise<void> } {
  let doneAtKill = -1;
  let killing: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    const done = countDone();
    if (done === doneAtKill) return;
    doneAtKill = done;
    // One that fails kills nothing, and the next one comes soon.
    killing = query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'walletd%'`,
    ).catch(() => undefined);
  }, 40);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await killing;
  };
  return { stop };
}
