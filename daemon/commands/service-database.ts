import type { Result } from '../../core/reasons.ts';
import type { Config } from '../config.ts';
import { connectDatabase, openDatabases, prepareSchemas } from '../databases.ts';
import type { Outcome } from '../fault.ts';
import type { Db } from '../platform/db.ts';
import { createLifecycle } from '../platform/lifecycle.ts';
import type { Log } from '../platform/log.ts';
import type { ServiceName } from '../settings.ts';

/**
 * Does something straight in a service's database. Works beside a running daemon, and starts the
 * embedded Postgres for itself where none runs.
 */
export async function withDatabase<T>(
  name: ServiceName,
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
    const url = databases.urls[name]?.url;
    if (url === undefined) return { ok: false, fault: noDatabase(name) };
    const unready = await prepareSchemas(databases, [name], config.shouldMigrate, log);
    if (unready) return { ok: false, fault: unready };
    const connected = await connectDatabase(name, url, config, log);
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

/** The fault where this host has no database of the service. */
export const noDatabase = (name: ServiceName) => ({
  fault: `there is no database for the ${name} service here`,
  hint: `set ${name.toUpperCase()}_DATABASE_URL, or run this where the service is hosted`,
});
