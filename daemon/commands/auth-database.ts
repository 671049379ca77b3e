import type { Result } from '../../core/reasons.ts';
import type { Config } from '../config.ts';
import { connectDatabase, openDatabases, prepareSchemas } from '../databases.ts';
import type { Outcome } from '../fault.ts';
import type { Db } from '../platform/db.ts';
import { createLifecycle } from '../platform/lifecycle.ts';
import type { Log } from '../platform/log.ts';

/**
 * Does something straight in the auth database. Works beside a running daemon, and starts the
 * embedded Postgres for itself where none runs.
 */
export async function withAuthDatabase<T>(
  config: Config,
  log: Log,
  work: (db: Db) => Promise<Result<T>>,
): Promise<Outcome<T>> {
  const lifecycle = createLifecycle(log);
  try {
    const opened = await openDatabases(config, log, 'attach', () => undefined);
    if (!opened.ok) return opened;
    const databases = opened.value;
    lifecycle.defer('databases', () => databases.stop());
    const unready = await prepareSchemas(databases, ['auth'], config.shouldMigrate, log);
    if (unready) return { ok: false, fault: unready };
    const connected = await connectDatabase('auth', databases.urls.auth?.url ?? '', config, log);
    if (!connected.ok) return connected;
    lifecycle.defer('database', () => connected.value.close());
    const done = await work(connected.value);
    if (done.ok) return { ok: true, value: done.value };
    const { message } = done.rejection;
    return { ok: false, fault: { fault: message, hint: 'correct it and run the command again' } };
  } finally {
    await lifecycle.release(10_000);
  }
}
