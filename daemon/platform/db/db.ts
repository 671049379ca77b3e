import pg from 'pg';

import { driven, isLost, isUnconnected, markLost } from './connection/connection-fault.ts';
import * as hangingCommits from './connection/hanging-commits.ts';
import { createConnections, type Connections } from './connection/pool.ts';
import { formatDuration, byKeySettings, workSettings } from './connection/session.ts';
import { copyOut, type TakeRow } from './copy.ts';
import { createTransientRejection } from '../transient-rejection.ts';
import type { Log } from '../log.ts';

/** A statement that each connection prepares once, under its name; one name, one text. */
export type Statement = { readonly name: string; readonly text: string };

export const sql = (name: string, text: string): Statement => ({ name, text });

/** A database transaction (or, from `read`, a connection without one) that stores run SQL on. */
export type Tx = {
  /** Rows: int8 as bigint, timestamptz as milliseconds (number), bytea as Buffer. */
  query<Row>(statement: Statement, values?: readonly unknown[]): Promise<Row[]>;
  /** The number of rows changed. */
  execute(statement: Statement, values?: readonly unknown[]): Promise<number>;
  /**
   * `COPY … TO STDOUT`, row by row, without the cost of a result. It takes no values: `text` must
   * hold nothing that was not checked.
   */
  copyOut(text: string, take: TakeRow): Promise<void>;
};

export type Db = {
  /** READ COMMITTED. Rejects with `isCommitInDoubt` where the answer to COMMIT was lost. */
  tx<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** As `tx`, and rolled back at its end: for what must wait for others and leave nothing. */
  undone<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Read-only, all statements on one snapshot. */
  snapshot<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
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
  /** Once it is aborted, connections are cut and no more are made: what waits fails. */
  readonly signal?: AbortSignal;
  readonly log: Log;
};

/** Behind the server's own time-outs: only a server that hangs as a whole gets this far. */
const queryTimeoutMs = 20_000;

const inDoubt = new WeakSet<Error>();

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
  const driver = { query_timeout: queryTimeoutMs, types: resultTypes };
  const connections = createConnections({ ...options, settings, driver });
  const hanging = hangingCommits.createHangingCommits(options.maxConnections, (pids) =>
    withClient((c) => hangingCommits.findWaiting(c, pids)),
  );
  const withClient = <T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> =>
    useClient(connections, hanging, work);
  return {
    tx: async (work) => {
      hanging.check();
      return withClient((c) => runTransaction(c, options.commitTimeoutMs ?? queryTimeoutMs, work));
    },
    snapshot: (work) => withClient((c) => runSnapshot(c, work)),
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

async function useClient<T>(
  { pool, connect }: Connections,
  hanging: hangingCommits.HangingCommits,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  if (pool.waitingCount >= maxWaiting) {
    const message = 'the server has too much in flight: try again shortly';
    throw createTransientRejection({ reason: 'OVERLOADED', message, metadata: {} });
  }
  const client = await connect();
  let result: T;
  try {
    result = await work(client);
  } catch (err) {
    // A server that answered with an SQLSTATE and rolled back leaves a usable connection.
    const isBroken = sqlStateOf(err) === undefined || isConnectionState(sqlStateOf(err));
    if (!hanging.keep(client, err)) client.release(isBroken);
    throw err;
  }
  client.release(false);
  return result;
}

async function runTransaction<T>(
  client: pg.PoolClient,
  commitTimeoutMs: number,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const result = await runWork(client, 'BEGIN ISOLATION LEVEL READ COMMITTED', work);
  await commit(client, commitTimeoutMs);
  return result;
}

/** What only reads is never in doubt: its end changes nothing, and only gives the snapshot back. */
async function runSnapshot<T>(client: pg.PoolClient, work: (tx: Tx) => Promise<T>): Promise<T> {
  const begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
  const result = await runWork(client, begin, work);
  await driven(client.query('COMMIT'));
  return result;
}

/** A transaction up to its COMMIT; rolled back if the work fails. */
async function runWork<T>(
  client: pg.PoolClient,
  begin: string,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  await driven(client.query(begin));
  const failed = createFirstError();
  try {
    return await work(txOn(client, failed.note));
  } catch (err) {
    // Without an answer of the server's the connection is given up, and with it the transaction.
    if (sqlStateOf(err) !== undefined) await client.query('ROLLBACK').catch(() => undefined);
    throw failed.causeOf(err);
  }
}

type FirstError = {
  note(err: unknown): void;
  /** What an error came from, where it only says that an earlier statement failed. */
  causeOf(err: unknown): unknown;
};

/**
 * Statements sent together are answered in order: after the first that fails, each of the others
 * fails with `in_failed_sql_transaction`, which says nothing of the cause.
 */
function createFirstError(): FirstError {
  let first: unknown;
  return {
    note: (err) => void (first ??= err),
    causeOf: (err) => (sqlStateOf(err) === '25P02' ? (first ?? err) : err),
  };
}

async function commit(client: pg.PoolClient, timeoutMs: number): Promise<void> {
  let tag: string;
  try {
    tag = await driven(hangingCommits.sendCommit(client, timeoutMs));
  } catch (cause) {
    const state = sqlStateOf(cause);
    if (state !== undefined && !isConnectionState(state)) throw cause;
    const err = new Error('the answer to COMMIT was lost', { cause });
    inDoubt.add(err);
    throw err;
  }
  // COMMIT of a failed transaction resolves, with the tag ROLLBACK.
  if (tag !== 'COMMIT') throw new Error(`COMMIT was answered with ${tag}`);
}

function txOn(client: pg.PoolClient, onError: (err: unknown) => void = () => undefined): Tx {
  const run = async (statement: Statement, values: readonly unknown[]) => {
    try {
      return await client.query({
        name: statement.name,
        text: statement.text,
        values: [...values],
      });
    } catch (err) {
      onError(err);
      throw markLost(err);
    }
  };
  return {
    query: async <Row>(statement: Statement, values: readonly unknown[] = []) =>
      (await run(statement, values)).rows as Row[],
    execute: async (statement, values = []) => (await run(statement, values)).rowCount ?? 0,
    copyOut: (text, take) => copyOut(client, text, take),
  };
}

/** True if the transaction may or may not have been committed. */
export function isCommitInDoubt(err: unknown): boolean {
  return err instanceof Error && inDoubt.has(err);
}

/**
 * For a transaction whose outcome does not matter (a mark that a read leaves): without a doubt.
 */
export function withoutDoubt<T>(work: Promise<T>): Promise<T> {
  return work.catch((err: unknown) => {
    throw isCommitInDoubt(err) ? (err as Error).cause : err;
  });
}

/**
 * What a failed transaction means for who sent it: `data`: this content can never be stored;
 * `transient`: the same again may succeed; `unexpected`: a defect. Classes of SQLSTATE:
 * https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
export function classifyDbError(err: unknown): 'data' | 'transient' | 'unexpected' {
  if (isCommitInDoubt(err) || isUnconnected(err) || isLost(err)) return 'transient';
  const state = sqlStateOf(err);
  if (state === undefined) return 'unexpected';
  if (/^(22|23)/.test(state)) return 'data';
  return /^(40|53|55P03|57|58|08|25P03|25006)/.test(state) ? 'transient' : 'unexpected';
}

/** True where a lock was not had in time: another transaction has it. */
export const isLockTimeout = (err: unknown): boolean => sqlStateOf(err) === '55P03';

/** The five characters of SQLSTATE, where the server gave one. */
export function sqlStateOf(err: unknown): string | undefined {
  const code = err instanceof Error && 'code' in err ? err.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (err as object)
    ? code
    : undefined;
}

/** The constraint that a statement ran into, by name. */
export function constraintOf(err: unknown): string | undefined {
  const constraint = err instanceof Error && 'constraint' in err ? err.constraint : undefined;
  return typeof constraint === 'string' ? constraint : undefined;
}

/**
 * 25006: the connection leads to a standby; the next one may lead to the primary. A statement that
 * was cancelled (57014) leaves its connection as good as it was.
 */
function isConnectionState(state: string | undefined): boolean {
  return state !== undefined && state !== '57014' && /^(08|57|58|25006)/.test(state);
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
