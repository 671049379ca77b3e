import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createTransport, messageOf } from '../../../tests/support/grpc/transport.ts';
import type { Broker, OutboundMessage } from '../broker/broker.ts';
import { createDb, type Db } from '../db/db.ts';
import { createLog } from '../log.ts';
import { appendOutbox, createRelay, type Relay } from './relay.ts';

const log = createLog('silent');
let database: TestDatabase;
let relays: Relay[];

beforeEach(async () => {
  database = await createTestDatabase('wallet');
  relays = [];
});

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
  await database.drop();
});

function startRelay(broker: Pick<Broker, 'publish'>, db: Db = database.db): Relay {
  const relay = createRelay({ db, broker, log });
  relays.push(relay);
  relay.start();
  return relay;
}

/** One row of the outbox with these messages. */
const append = (...messageIds: string[]) =>
  database.db.tx((tx) => appendOutbox(tx, messageIds.map(messageOf)));

type Row = { events: readonly OutboundMessage[]; event_count: number };
async function kept(): Promise<string[][]> {
  const rows = await database.query<Row>('SELECT events, event_count FROM outbox ORDER BY id');
  for (const row of rows) expect(row.event_count).toBe(row.events.length);
  return rows.map((row) => row.events.map((event) => event.messageId));
}

const until = (check: () => Promise<void> | void, timeout = 10_000) =>
  vi.waitFor(check, { timeout, interval: 20 });
const untilEmpty = () => until(async () => expect(await kept()).toEqual([]));

describe('the relay', () => {
  it('the relay sends rows in order of id, their messages in order, and deletes them', async () => {
    const ids = Array.from({ length: 100 }, (_, i) => `m${i}`);
    for (let i = 0; i < ids.length; i += 2) await append(...ids.slice(i, i + 2));
    const transport = createTransport();
    startRelay(transport);
    await untilEmpty();
    expect(transport.sent).toEqual(ids);
  });

  it('the relay passes on a message unchanged', async () => {
    await append('é "quoted" \\ 日本');
    const given: OutboundMessage[] = [];
    startRelay(
      createTransport((messages) => {
        given.push(...messages);
        return Promise.resolve([]);
      }),
    );
    await untilEmpty();
    expect(given).toEqual([messageOf('é "quoted" \\ 日本')]);
  });

  it('the relay finds rows from before its start, and later ones, woken or not', async () => {
    await append('before');
    const transport = createTransport();
    const relay = startRelay(transport);
    await untilEmpty();
    await append('later');
    await untilEmpty();
    await append('woken');
    relay.wake();
    await untilEmpty();
    expect(transport.sent).toEqual(['before', 'later', 'woken']);
  });

  it('nothing of a transaction that is rolled back is sent', async () => {
    const transport = createTransport();
    const relay = startRelay(transport);
    const failed = database.db.tx(async (tx) => {
      await appendOutbox(tx, [messageOf('never')]);
      relay.wake();
      throw new Error('rolled back');
    });
    await expect(failed).rejects.toThrow('rolled back');
    await append('real');
    await untilEmpty();
    expect(transport.sent).toEqual(['real']);
  });

  it('a commit without messages leaves no outbox row', async () => {
    await append();
    expect(await kept()).toEqual([]);
  });
});

describe('unconfirmed messages', () => {
  it('an outbox row is kept while publishing fails, and sent in order once it works', async () => {
    await append('a', 'b');
    await append('c');
    const transport = createTransport(() => Promise.reject(new Error('the broker is unavailable')));
    startRelay(transport);
    await until(() => expect(transport.calls.length).toBeGreaterThanOrEqual(2));
    expect(await kept()).toEqual([['a', 'b'], ['c']]);
    transport.answer = () => Promise.resolve([]);
    await untilEmpty();
    expect(transport.sent).toEqual(['a', 'b', 'c']);
  });

  it('an unconfirmed message stays in its row; a confirmed one is not sent again', async () => {
    await append('a', 'b', 'c');
    await append('d');
    const transport = createTransport((messages) =>
      Promise.resolve(messages.filter((message) => message.messageId === 'b')),
    );
    startRelay(transport);
    await until(async () => expect(await kept()).toEqual([['b']]));
    transport.answer = () => Promise.resolve([]);
    await untilEmpty();
    expect(transport.sent).toEqual(['a', 'c', 'd', 'b']);
  });

  it('more commits do not make the relay retry faster', async () => {
    await append('a');
    const transport = createTransport(() => Promise.reject(new Error('the broker is unavailable')));
    const relay = startRelay(transport);
    await until(() => expect(transport.calls.length).toBeGreaterThanOrEqual(1));
    for (let i = 0; i < 60; i += 1) {
      relay.wake();
      await sleep(5);
    }
    // Pauses of 200 and 400 ms: the third attempt comes no sooner than 600 ms after the first.
    expect(transport.calls.length).toBeLessThanOrEqual(3);
  });

  it('an outbox row is deleted later if the database was lost after it was published', async () => {
    await append('a');
    const dying = createDb({ url: database.url, name: 'dying', maxConnections: 2, log });
    const transport = createTransport(async () => {
      await database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'walletd dying'",
      );
      transport.answer = () => Promise.resolve([]);
      return [];
    });
    const relay = startRelay(transport, dying);
    await untilEmpty();
    await relay.stop();
    await dying.close();
    expect([...new Set(transport.sent)]).toEqual(['a']);
  });
});

it('a stop of the relay ends after the round in flight, and leaves no timer behind', async () => {
  const countTimers = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  await append('a');
  const timers = countTimers();
  const transport = createTransport(async () => {
    await sleep(100);
    return [];
  });
  const db = createDb({ url: database.url, name: 'own', maxConnections: 2, log });
  const relay = startRelay(transport, db);
  await until(() => expect(transport.calls).toHaveLength(1));
  await relay.stop();
  expect(transport.sent).toEqual(['a']);
  expect(await kept()).toEqual([]);
  await db.close();
  expect(countTimers()).toBeLessThanOrEqual(timers);
});
