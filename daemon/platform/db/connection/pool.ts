import pg from 'pg';

import type { Log } from '../../log.ts';
import { createRoute, type ConnectOptions } from './connect.ts';
import { findConnectionFault, markUnconnected } from './connection-fault.ts';
import { createOpenClients } from './open-clients.ts';

/** How long work waits for one of the connections to be free. */
const poolTimeoutMs = 5_000;
/** A server that became a standby, or takes no writes, answers reads: it is left by then. */
const maxConnectionAgeMs = 60_000;

export type Connections = {
  readonly pool: pg.Pool;
  connect(): Promise<pg.PoolClient>;
};

/** A pool whose connections are set up and checked, by whichever way leads to the database. */
export function createConnections(
  options: ConnectOptions & {
    readonly maxConnections: number;
    readonly maxConnectionAgeMs?: number;
    readonly signal?: AbortSignal;
    readonly log: Log;
  },
): Connections {
  const { name, signal, log } = options;
  const route = createRoute(options);
  const clients = createOpenClients(signal);
  const pool = new pg.Pool({
    max: options.maxConnections,
    connectionTimeoutMillis: Math.max(poolTimeoutMs, route.connectTimeoutMs),
    idleTimeoutMillis: 60_000,
    maxLifetimeSeconds: (options.maxConnectionAgeMs ?? maxConnectionAgeMs) / 1_000,
    // The pool calls it with `new`, and takes what it returns.
    Client: function create() {
      return clients.add(route.create());
    } as unknown as new () => pg.Client,
  });
  // Each client reports its own loss. A pool that is being closed loses its connections anyway.
  pool.on('error', () => undefined);
  pool.on('connect', (client) =>
    client.on('error', (err) => {
      if (!pool.ending) log.warn({ err, database: name }, 'database connection lost');
    }),
  );
  const connect = async (): Promise<pg.PoolClient> => {
    try {
      return await route.tryAll(() => {
        signal?.throwIfAborted();
        return pool.connect();
      });
    } catch (err) {
      const problem = findConnectionFault(err);
      if (problem) log.warn({ database: name, ...problem }, 'database connection refused');
      // Whatever the reason (no place among the connections in time, too): nothing was begun.
      throw err instanceof Error ? markUnconnected(err) : err;
    }
  };
  return { pool, connect };
}
