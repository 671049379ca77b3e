import type { Writable } from 'node:stream';

import type pg from 'pg';

/** What the driver has of a connection, and its types leave out. */
type Connected = { readonly connection?: { readonly stream?: Writable } };

/**
 * Statements that are sent to the driver until the end of this turn leave in one write: the server
 * is woken once for them, and each write is a system call.
 */
export function sendTogether(client: pg.ClientBase): void {
  const { stream } = (client as Connected).connection ?? {};
  if (!stream || stream.writableCorked > 0) return;
  stream.cork();
  // Behind the microtasks that are due: these send more.
  process.nextTick(() => stream.uncork());
}
