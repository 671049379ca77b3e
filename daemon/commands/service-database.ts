import type { Result } from '../../core/reasons.ts';
import { explainLoss } from '../databases/faults.ts';
import {
  connectDatabase,
  openDatabases,
  prepareSchemas,
  type Databases,
} from '../databases/databases.ts';
import type { Config } from '../config/config.ts';
import { findNoEmbedded } from '../databases/places.ts';
import type { Fault, Outcome } from '../fault.ts';
import type { Db } from '../platform/db/db.ts';
import { createLifecycle, type Lifecycle } from '../platform/lifecycle.ts';
import type { ServiceName } from '../config/settings.ts';
import type { HostRun } from './host-run.ts';

/**
 * Does something straight in a service's database. Works beside a running daemon, and starts the
 * embedded Postgres for itself where none runs. Creates neither database nor schema.
 */
export async function withDatabase<T>(
  name: ServiceName,
  run: HostRun,
  work: (db: Db, dataDir: string | undefined) => Promise<Result<T>>,
): Promise<Outcome<T>> {
  const { config, log, signal } = run;
  const lifecycle = createLifecycle(log);
  try {
    const opened = await openDatabases(config, log, 'use', signal);
    if (!opened.ok) return opened;
    const databases = opened.value;
    lifecycle.defer('databases', () => databases.stop());
    const connected = await connectService(name, databases, run, lifecycle);
    if (!connected.ok) return connected;
    const done = await explainLoss(name, run, () => work(connected.value, databases.dataDir));
    if (!done.ok) return done;
    if (done.value.ok) return { ok: true, value: done.value.value };
    const { message } = done.value.rejection;
    return { ok: false, fault: { fault: message, hint: 'correct it and run the command again' } };
  } finally {
    await lifecycle.release(10_000);
  }
}

/**
 * A service's database whose schema is ready, with the connections of a command: they are cut when
 * it is interrupted, and closed with the lifecycle.
 */
export async function connectService(
  name: ServiceName,
  databases: Databases,
  { config, log, signal }: HostRun,
  lifecycle: Lifecycle,
  pool: { readonly isByKey?: boolean; readonly idleInTransactionMs?: number } = {},
): Promise<Outcome<Db>> {
  const url = databases.urls[name]?.url;
  if (url === undefined) return { ok: false, fault: noDatabase(name) };
  const unready = await prepareSchemas(databases, [name], false, log, signal);
  if (unready) return { ok: false, fault: unready };
  const options = { maxConnections: 10, signal, ...pool };
  const connected = await connectDatabase(name, url, config, log, options);
  if (connected.ok) lifecycle.defer(`database ${name}`, () => connected.value.close());
  return connected;
}

/** Why there is no database to work on, before a command asks for anything. */
export async function findNoDatabaseFault(
  name: ServiceName,
  config: Config,
): Promise<Fault | undefined> {
  if (config.databases) return config.databases[name] ? undefined : noDatabase(name);
  return await findNoEmbedded(config);
}

/** The fault where this host has no database of the service. */
const noDatabase = (name: ServiceName) => ({
  fault: `there is no database for the ${name} service here`,
  hint: `set ${name.toUpperCase()}_DATABASE_URL, or run this where the service is hosted`,
});
