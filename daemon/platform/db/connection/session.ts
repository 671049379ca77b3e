import type pg from 'pg';

import { toFaultError, type ConnectionFault } from './connection-fault.ts';
import type { DatabaseUrl } from './database-url.ts';

/** Settings of a connection, each as the server writes its value. */
export type SessionSettings = Readonly<Record<string, string>>;

/** Results are read as text: these fix how times and bytes are written. */
const resultSettings: SessionSettings = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  bytea_output: 'hex',
};

/** As the server writes a time-out. */
export function formatDuration(ms: number): string {
  const units = [
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ] as const;
  const found = units.find(([size]) => ms > 0 && ms % size === 0);
  return found ? `${ms / found[0]}${found[1]}` : `${ms}ms`;
}

/** Behind these the driver's own time-out (see db.ts), for a server that hangs as a whole. */
export const workSettings: SessionSettings = {
  ...resultSettings,
  statement_timeout: '15s',
  lock_timeout: '10s',
  idle_in_transaction_session_timeout: '30s',
};

/** For statements that find all they want by key. */
export const byKeySettings: SessionSettings = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
};

/** A migration may take its time, and others may be at it. */
export const migrationSettings: SessionSettings = {
  ...resultSettings,
  statement_timeout: '0',
  lock_timeout: '2min',
};

type ReadBack = Readonly<Record<string, string>> & {
  readonly pid: number;
  readonly in_recovery: boolean;
};

/**
 * Sets a new connection up, and reads back in the same round trip what became of it: start-up
 * parameters would be refused, or dropped without a word, by a pooler. Both statements are
 * transactions of their own. Gives the process id of the server's side; rejects with a fault where
 * a setting does not hold, or where the server is not what `target` asks for.
 */
export async function prepareSession(
  client: pg.ClientBase,
  settings: SessionSettings,
  target: DatabaseUrl['target'],
): Promise<number> {
  const [set, read] = await Promise.all([
    client.query<{ pid: number }>(formatSet(settings)),
    client.query<ReadBack>(formatReadBack(settings)),
  ]);
  const [row] = read.rows;
  if (!row || set.rows[0]?.pid !== row.pid) throw toFaultError(describePooling('transaction'));
  for (const [name, value] of Object.entries(settings)) {
    if (row[name] !== value) throw toFaultError(describeSetting(name, row[name] ?? '', value));
  }
  const isReadOnly = row['transaction_read_only'] === 'on';
  if (target !== 'any' && row.in_recovery) throw toFaultError(standby);
  if (target === 'read-write' && isReadOnly) throw toFaultError(readOnly);
  return row.pid;
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const formatSet = (settings: SessionSettings): string =>
  `SELECT pg_backend_pid() AS pid, ${Object.entries(settings)
    .map(([name, value]) => `set_config(${quote(name)}, ${quote(value)}, false)`)
    .join(', ')}`;

const formatReadBack = (settings: SessionSettings): string =>
  `SELECT pg_backend_pid() AS pid, pg_is_in_recovery() AS in_recovery, ${[
    ...Object.keys(settings),
    'transaction_read_only',
  ]
    .map((name) => `current_setting(${quote(name)}) AS "${name}"`)
    .join(', ')}`;

const describeSetting = (name: string, found: string, wanted: string): ConnectionFault => ({
  fault: `the setting ${name} of a new connection does not hold: it is ${found}, not ${wanted}`,
  hint:
    'see what stands between the daemon and the server and resets it; connect directly, or ' +
    'through a pooler in session mode (PgBouncer: pool_mode = session)',
});

/** `mode`: of the pooler that a connection turned out to go through. */
export const describePooling = (mode: 'transaction' | 'statement'): ConnectionFault => ({
  fault:
    `the connection goes through a pooler with ${mode} pooling, which gives each ` +
    `${mode} another connection to the server`,
  hint:
    'set the pooler to session mode for this database (PgBouncer: pool_mode = session), or ' +
    'connect directly',
});

const standby: ConnectionFault = {
  fault: 'the server is a standby, and takes no writes',
  hint: 'name the primary, or all servers of the cluster: postgres://…@host1,host2/database',
};

const readOnly: ConnectionFault = {
  fault: 'the server takes no writes (transaction_read_only is on)',
  hint: 'name a server that does, or set default_transaction_read_only to off',
};
