import { setTimeout as sleep } from 'node:timers/promises';

import type pg from 'pg';

type Client = Pick<pg.ClientBase, 'query'> & { end(): Promise<void> };

/** One takes what was given back last; a second what a pooler that takes turns has next. */
const maxHelpers = 2;
/**
 * While others keep a pooler busy they take the connection sooner or later: each look waits longer.
 */
const looksPerHelper = 5;
const firstPauseMs = 1;

/**
 * Whether a pooler gives the server's side of this connection (`pid`) to others between its
 * transactions. In session mode no other client can get it. In transaction mode the client that
 * begins next gets it: helpers take what is idle, until one of them has it, or this connection has
 * another.
 */
export async function findPooling(
  client: Pick<pg.ClientBase, 'query'>,
  pid: number,
  openHelper: () => Promise<Client>,
): Promise<'transaction' | 'statement' | undefined> {
  const helpers: Client[] = [];
  try {
    while (helpers.length < maxHelpers) {
      const helper = await openHelper();
      helpers.push(helper);
      await helper.query('BEGIN');
      if ((await readPid(helper)) === pid) return 'transaction';
      for (let look = 0; look < looksPerHelper; look += 1) {
        if ((await readPid(client)) !== pid) return 'transaction';
        await sleep(firstPauseMs * 2 ** look);
      }
    }
    return undefined;
  } catch (err) {
    // PgBouncer: "transaction blocks not allowed in statement pooling mode".
    if (err instanceof Error && /statement pooling/i.test(err.message)) return 'statement';
    // No other connection to be had: then no other client got this one either.
    return undefined;
  } finally {
    await Promise.all(helpers.map((helper) => helper.end().catch(() => undefined)));
  }
}

async function readPid(client: Pick<pg.ClientBase, 'query'>): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}
