import type pg from 'pg';

import { onAbort } from '../../concurrency/abort.ts';

type WithStream = { readonly connection?: { readonly stream?: { destroy(): void } } };

export type OpenClients = {
  add(client: pg.Client): pg.Client;
};

/**
 * Remembers the clients that are connected, or about to be, and cuts them off when the signal is
 * aborted: what waits for the server, or for a lock, fails at once. The server rolls back.
 */
export function createOpenClients(signal: AbortSignal | undefined): OpenClients {
  const open = new Set<pg.Client>();
  onAbort(signal, () => {
    for (const client of open) (client as WithStream).connection?.stream?.destroy();
  });
  return {
    add: (client) => {
      if (!signal) return client;
      open.add(client);
      client.once('end', () => open.delete(client));
      return client;
    },
  };
}
