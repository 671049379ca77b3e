import { expect, vi } from 'vitest';

import { createTestDatabase } from '../../../tests/support/postgres/database.ts';
import { messageOf } from '../../../tests/support/grpc/transport.ts';
import type { Broker, OutboundMessage } from '../broker/broker.ts';
import type { Db } from '../db/db.ts';
import { createLog } from '../log.ts';
import { appendOutbox, createRelay, type Relay } from './relay.ts';

export type RelayWorld = Awaited<ReturnType<typeof createRelayWorld>>;

/** A database of the wallet service, and relays on it that end with it. */
export async function createRelayWorld() {
  const database = await createTestDatabase('wallet');
  const relays: Relay[] = [];
  /** The message ids of each row of the outbox, in order. */
  const readOutbox = async (): Promise<string[][]> => {
    type Row = { events: readonly OutboundMessage[]; event_count: number };
    const rows = await database.query<Row>('SELECT events, event_count FROM outbox ORDER BY id');
    for (const row of rows) expect(row.event_count).toBe(row.events.length);
    return rows.map((row) => row.events.map((event) => event.messageId));
  };
  return {
    database,
    relays,
    readOutbox,
    startRelay: (broker: Pick<Broker, 'publish'>, db: Db = database.db): Relay => {
      const relay = createRelay({ db, broker, log: createLog('silent') });
      relays.push(relay);
      relay.start();
      return relay;
    },
    /** One row of the outbox with these messages. */
    append: (...messageIds: string[]) =>
      database.db.tx((tx) => appendOutbox(tx, messageIds.map(messageOf))),
    untilEmpty: () => until(async () => expect(await readOutbox()).toEqual([])),
    dispose: async (): Promise<void> => {
      await Promise.all(relays.map((relay) => relay.stop()));
      await database.drop();
    },
  };
}

/** Waits until the check passes. */
export const until = (check: () => Promise<void> | void, timeout = 10_000) =>
  vi.waitFor(check, { timeout, interval: 20 });
