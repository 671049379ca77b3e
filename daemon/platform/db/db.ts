import pg from 'pg';

import { driven } from './connection/connection-fault.ts';
import * as hangingCommits from './connection/hanging-commits.ts';
import { createConnections, type Connections } from './connection/pool.ts';
import { formatDuration, byKeySettings, workSettings } from './connection/session.ts';
import { isConnectionState, sqlStateOf } from './errors.ts';
import {
  runSnapshot,
  runTransaction,
  sql,
  txOn,
  type SendCommit,
  type Tx,
  type Use,
} from './transaction.ts';
import { createTransientRejection } from '../transient-rejection.ts';
import type { Log } from '../log.ts';

export {
  classifyDbError,
  constraintOf,
  isCommitInDoubt,
  isLockTimeout,
  sqlStateOf,
  withoutDoubt,
} from './errors.ts';
export { sql, type SendCommit, type Statement, type Tx } from './transaction.ts';

export type Db = {
  /** READ COMMITTED. Rejects with `isCommitInDoubt` where the answer to COMMIT was lost. */
  tx<T>(work: (tx: Tx, sendCommit: SendCommit) => Promise<T>): Promise<T>;
  /** As `tx`, all statements on one snapshot. Rejects with 40001 where another changed a row too. */
  snapshotTx<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** As `tx`, and rolled back at its end: for what must wait for others and leave nothing. */
  undone<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Read-only, all statements on one snapshot: on the one with this
   * id, which another open transaction has exported, or on a new one.
   */
  snapshot<T>(work: (tx: Tx) => Promise<T>, id?: string): Promise<T>;
  /** Without a transaction: each statement sees what is committed when it starts. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

export type DbOptions = {
  readonly url: string;
  readonly name: string;
  readonly maxConnections: number;
  /**
   * For statements that find all they want by key: plans are made once, and by index only. A plan
   * made while a table is young would otherwise read the whole of it until it is analysed.
   */
  readonly isByKey?: boolean;
  /** How long a statement waits for a lock; 10 s if not given. */
  readonly lockTimeoutMs?: number;
  /** How long a transaction may be left idle before the server ends it; 30 s if not given. */
  readonly idleInTransactionMs?: number;
  /** A minute if not given. */
  readonly maxConnectionAgeMs?: number;
  /** How long an answer to COMMIT is waited for; 20 s if not given. */
  readonly commitTimeoutMs?: number;
  /** How long an answer to any other statement is waited for; 20 s if not given. */
  readonly queryTimeoutMs?: number;
  /** Once it is aborted, connections are cut and no more are made: what waits fails. */
  readonly signal?: AbortSignal;
  readonly log: Log;
};

/** Behind the server's own time-outs: only a server that hangs as a whole gets this far. */
const queryTimeoutMs = 20_000;

const settingsOf = ({ isByKey, lockTimeoutMs, idleInTransactionMs }: DbOptions) => ({
  ...workSettings,
  ...(isByKey ? byKeySettings : {}),
  ...(lockTimeoutMs === undefined ? {} : { lock_timeout: formatDuration(lockTimeoutMs) }),
  ...(idleInTransactionMs === undefined
    ? {}
    : { idle_in_transaction_session_timeout: formatDuration(idleInTransactionMs) }),
});

/**
 * A pool of connections. Nothing is connected before the first use. Statements that are not waited
 * for one by one are sent together, and answered in order. Each connection is set up and checked
 * before it is used (db-connection/). Throws a connection fault if the URL cannot be used.
 */
export function createDb(options: DbOptions): Db {
  const settings = settingsOf(options);
  const driver = {
    query_timeout: options.queryTimeoutMs ?? queryTimeoutMs,
    types: resultTypes,
  };
  const connections = createConnections({ ...options, settings, driver });
  const hanging = hangingCommits.createHangingCommits(options.maxConnections, (pids) =>
    withClient((c) => hangingCommits.findWaiting(c, pids)),
  );
  const withClient = <T>(work: Work<T>): Promise<T> => useClient(connections, hanging, work);
  const { commitTimeoutMs = queryTimeoutMs } = options;
  return {
    tx: async (work) => {
      hanging.check();
      const transaction = { level: 'READ COMMITTED', commitTimeoutMs } as const;
      return withClient((c, use) => runTransaction(c, use, transaction, work));
    },
    snapshotTx: async (work) => {
      hanging.check();
      const transaction = { level: 'REPEATABLE READ', commitTimeoutMs } as const;
      return withClient((c, use) => runTransaction(c, use, transaction, work));
    },
    snapshot: (work, id) => withClient((c, use) => runSnapshot(c, use, work, id)),
    undone: (work) =>
      withClient(async (c) => {
        await driven(c.query('BEGIN ISOLATION LEVEL READ COMMITTED'));
        try {
          return await work(txOn(c));
        } finally {
          await c.query('ROLLBACK').catch(() => undefined);
        }
      }),
    read: (work) => withClient((c) => work(txOn(c))),
    close: () => {
      hanging.release();
      return connections.pool.end();
    },
  };
}

/** How many callers may wait for a connection. More would only reach their deadline. */
const maxWaiting = 500;

type Work<T> = (client: pg.PoolClient, use: Use) => Promise<T>;

async function useClient<T>(
  { pool, connect }: Connections,
  hanging: hangingCommits.HangingCommits,
  work: Work<T>,
): Promise<T> {
  if (pool.waitingCount >= maxWaiting) {
    const message = 'the server has too much in flight: try again shortly';
    throw createTransientRejection({ reason: 'OVERLOADED', message, metadata: {} });
  }
  const client = await connect();
  const use = { isRolledBack: false };
  let result: T;
  try {
    result = await work(client, use);
  } catch (err) {
    const state = sqlStateOf(err);
    const isUsable = state === undefined ? use.isRolledBack : !isConnectionState(state);
    if (!hanging.keep(client, err)) client.release(!isUsable);
    throw err;
  }
  client.release(false);
  return result;
}

const { builtins } = pg.types;

const resultTypes = new pg.TypeOverrides();
resultTypes.setTypeParser(builtins.INT8, (text: string) => BigInt(text));
// The session's time zone is UTC: the text always ends in +00.
resultTypes.setTypeParser(builtins.TIMESTAMPTZ, (text: string) =>
  Date.parse(`${text.slice(0, -3).replace(' ', 'T')}Z`),
);

const clockSql = sql('clock', 'SELECT clock_timestamp() AS now');

/** The database's clock, in milliseconds: the one that all daemons share. */
export async function readClock(tx: Tx): Promise<number> {
  const [row] = await tx.query<{ now: number }>(clockSql);
  if (!row) throw new Error('the database gave no time');
  return row.now;
}

const exportSql = sql('snapshot_export', 'SELECT pg_export_snapshot() AS id');

/** A name for the snapshot of this transaction, which others can work on while it is open. */
async function exportSnapshot(tx: Tx): Promise<string> {
  const [row] = await tx.query<{ id: string }>(exportSql);
  if (!row) throw new Error('the database gave no snapshot');
  return row.id;
}

/** Read-only transactions side by side, `count` of them, all on one snapshot. */
export function withSnapshots<T>(
  db: Db,
  count: number,
  work: (txs: readonly Tx[]) => Promise<T>,
): Promise<T> {
  return db.snapshot(async (first) => {
    const id = await exportSnapshot(first);
    const open = (txs: readonly Tx[]): Promise<T> =>
      txs.length >= count ? work(txs) : db.snapshot((tx) => open([...txs, tx]), id);
    return open([first]);
  });
}
