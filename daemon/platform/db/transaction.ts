import type pg from 'pg';

import { driven, isLost, markLost } from './connection/connection-fault.ts';
import { sendTogether } from './connection/send-together.ts';
import { sendCommit } from './connection/hanging-commits.ts';
import { copyOut, type TakeRow } from './copy.ts';
import { isConnectionState, sqlStateOf, toInDoubt } from './errors.ts';

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

/**
 * Sends COMMIT behind the statements that were sent so far, without waiting for their answers. The
 * server commits only if all of them succeed, so what else they must give they have to check
 * themselves. Nothing can be sent after it.
 */
export type SendCommit = () => void;

type Session = {
  readonly client: pg.PoolClient;
  readonly failed: FirstError;
  readonly state: State;
  readonly use: Use;
};

/** Of a transaction under way. */
type State = {
  /** The answer to BEGIN, until it is there. */
  begun: Promise<unknown> | undefined;
  /** The answer to COMMIT, once that was sent. */
  committed: Promise<void> | undefined;
};

/** How work on a connection ended. */
export type Use = {
  /** The transaction failed, and the server has rolled it back: the connection is usable. */
  isRolledBack: boolean;
};

/** READ COMMITTED. Rejects with `isCommitInDoubt` where the answer to COMMIT was lost. */
export async function runTransaction<T>(
  client: pg.PoolClient,
  use: Use,
  commitTimeoutMs: number,
  work: (tx: Tx, sendCommit: SendCommit) => Promise<T>,
): Promise<T> {
  const session = begin(client, use, 'BEGIN ISOLATION LEVEL READ COMMITTED');
  const { state } = session;
  // Behind the statements that wait for BEGIN.
  const commitBegun = (): Promise<void> =>
    state.begun
      ? state.begun.then(() => commit(client, commitTimeoutMs))
      : commit(client, commitTimeoutMs);
  const send = (): Promise<void> => (state.committed ??= commitBegun());
  const result = await runWork(session, (tx) =>
    // What it rejects with is looked at behind the work.
    work(tx, () => void send().catch(() => undefined)),
  );
  await send();
  return result;
}

/**
 * Read-only, all statements on one snapshot. It is never in doubt: its end changes nothing, and
 * only gives the snapshot back.
 */
export async function runSnapshot<T>(
  client: pg.PoolClient,
  use: Use,
  work: (tx: Tx) => Promise<T>,
  id?: string,
): Promise<T> {
  if (id !== undefined && !/^[0-9A-F-]+$/i.test(id)) throw new Error('not the id of a snapshot');
  const shared = id === undefined ? '' : `; SET TRANSACTION SNAPSHOT '${id}'`;
  const session = begin(client, use, `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY${shared}`);
  const result = await runWork(session, work);
  await driven(client.query('COMMIT'));
  return result;
}

function begin(client: pg.PoolClient, use: Use, text: string): Session {
  sendTogether(client);
  const begun = driven(client.query(text));
  const session = {
    ...{ client, use },
    failed: createFirstError(),
    state: { begun: begun as Promise<unknown> | undefined, committed: undefined },
  };
  const { state, failed } = session;
  begun.then(() => (state.begun = undefined), failed.note);
  return session;
}

/** A transaction up to its COMMIT; rolled back if the work fails. */
async function runWork<T>(session: Session, work: (tx: Tx) => Promise<T>): Promise<T> {
  const { client, failed, state, use } = session;
  try {
    const result = await work(txOn(client, session));
    await state.begun;
    return result;
  } catch (err) {
    const cause = failed.causeOf(err);
    if (state.committed) await endCommit(state.committed, cause);
    // Where the server did not answer the connection is given up, and with it the transaction.
    else if (!isLost(err)) use.isRolledBack = await rollBack(client);
    throw cause;
  }
}

const rollBack = (client: pg.PoolClient): Promise<boolean> =>
  client.query('ROLLBACK').then(
    () => true,
    () => false,
  );

/** Rejects where a transaction that failed behind its COMMIT may have been committed. */
async function endCommit(committed: Promise<void>, cause: unknown): Promise<void> {
  // The server refused a statement before it: it has rolled back.
  if (sqlStateOf(cause) !== undefined) return committed.catch(() => undefined);
  await committed;
  throw toInDoubt('the work failed behind its COMMIT', cause);
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
  sendTogether(client);
  let tag: string;
  try {
    tag = await driven(sendCommit(client, timeoutMs));
  } catch (cause) {
    const state = sqlStateOf(cause);
    if (state !== undefined && !isConnectionState(state)) throw cause;
    throw toInDoubt('the answer to COMMIT was lost', cause);
  }
  // COMMIT of a failed transaction resolves, with the tag ROLLBACK.
  if (tag !== 'COMMIT') throw new Error(`COMMIT was answered with ${tag}`);
}

/** A statement that leaves nothing where it runs by itself: BEGIN need not be waited for. */
const isRead = ({ text }: Statement): boolean => text.startsWith('SELECT');

/** `session`: of the transaction, where there is one. */
export function txOn(client: pg.PoolClient, session?: Session): Tx {
  const run = async (statement: Statement, values: readonly unknown[]) => {
    const { begun, committed } = session?.state ?? {};
    if (committed) throw new Error(`${statement.name} was sent behind COMMIT`);
    if (begun && !(isRead(statement) && isAhead)) {
      isAhead = false;
      await begun;
    }
    try {
      sendTogether(client);
      return await client.query({
        name: statement.name,
        text: statement.text,
        values: [...values],
      });
    } catch (err) {
      session?.failed.note(err);
      throw markLost(err);
    }
  };
  // Statements are sent in their order: behind one that waits for BEGIN, each other waits, too.
  let isAhead = true;
  return {
    query: async <Row>(statement: Statement, values: readonly unknown[] = []) =>
      (await run(statement, values)).rows as Row[],
    execute: async (statement, values = []) => (await run(statement, values)).rowCount ?? 0,
    copyOut: async (text, take) => {
      await session?.state.begun;
      return copyOut(client, text, take);
    },
  };
}
