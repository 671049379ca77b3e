import { setTimeout as sleep } from 'node:timers/promises';

import type pg from 'pg';

import { connectAlone } from '../connection/connect.ts';
import { workSettings } from '../connection/session.ts';

const endTimeoutMs = 2_000;

/** The process id of the server's backend, also behind a pooler. */
export async function readBackendPid(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid ?? 0;
}

/**
 * Terminates the backend of a connection, which rolls back its transaction. A backend that waits
 * for a lock does not notice that its client has gone. Never rejects.
 */
export async function endBackend(url: string, pid: number): Promise<void> {
  const end = async (): Promise<void> => {
    const helper = await connectAlone({ url, name: 'migrate', settings: workSettings });
    try {
      await helper.query('SELECT pg_terminate_backend($1)', [pid]);
    } finally {
      await helper.end();
    }
  };
  await within(end());
}

/** Closes a connection, without waiting for a server that does not answer. */
export const endClient = (client: pg.Client): Promise<void> => within(client.end());

async function within(work: Promise<void>): Promise<void> {
  const timer = new AbortController();
  const late = sleep(endTimeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
  await Promise.race([work.catch(() => undefined), late]);
  timer.abort();
}
