import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createTransport, messageOf, type Answer } from '../../../tests/support/grpc/transport.ts';
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

it('a relay lease from a clock that was a day ahead does not delay the relay', async () => {
  await database.query(`INSERT INTO relay_leases (name, holder, fencing_token, expires_at)
    VALUES ('outbox', gen_random_uuid(), 7, clock_timestamp() + interval '1 day')`);
  await append('a');
  startRelay(createTransport());
  await untilEmpty();
  const [lease] = await database.query<{ fencing_token: string; is_sound: boolean }>(`SELECT
    fencing_token, expires_at < clock_timestamp() + interval '5 seconds' AS is_sound
    FROM relay_leases`);
  expect(lease).toEqual({ fencing_token: '8', is_sound: true });
});

describe('two relays on one database', () => {
  it('of two relays on one database only one sends at a time', async () => {
    let active = 0;
    const most: number[] = [];
    const answer: Answer = async () => {
      most.push((active += 1));
      await sleep(20);
      active -= 1;
      return [];
    };
    const transports = [createTransport(answer), createTransport(answer)];
    transports.forEach((transport) => startRelay(transport));
    const ids = Array.from({ length: 40 }, (_, i) => `m${i}`);
    for (const id of ids) {
      await append(id);
      relays.forEach((relay) => relay.wake());
    }
    await untilEmpty();
    expect(Math.max(...most)).toBe(1);
    expect(transports.map((transport) => transport.sent.length).sort()).toEqual([0, 40]);
    expect(transports.flatMap((transport) => transport.sent)).toEqual(ids);
  });

  it('a relay that stops hands over at once', async () => {
    const [first, second] = [createTransport(), createTransport()];
    const relay = startRelay(first);
    await append('a');
    await untilEmpty();
    await relay.stop();
    startRelay(second);
    await append('b');
    await until(() => expect(second.sent).toEqual(['b']), 1_500);
    expect(first.sent).toEqual(['a']);
  });

  it('the other relay takes over from a dead one once its lease of 4 s has expired', async () => {
    const dying = createDb({ url: database.url, name: 'dying', maxConnections: 2, log });
    const first = createTransport();
    const dead = startRelay(first, dying);
    await append('a');
    await untilEmpty();
    await dying.close();
    const [lease] = await database.query(`SELECT fencing_token,
      expires_at <= clock_timestamp() + interval '4 seconds' AS is_short FROM relay_leases`);
    expect(lease).toEqual({ fencing_token: '1', is_short: true });
    const second = createTransport();
    startRelay(second);
    await append('b');
    await until(() => expect(second.sent).toEqual(['b']));
    expect(await database.query('SELECT fencing_token FROM relay_leases')).toEqual([
      { fencing_token: '2' },
    ]);
    expect(first.sent).toEqual(['a']);
    await dead.stop();
  });

  it('a relay renews its lease during a long publish, and no other takes over', async () => {
    await append('a');
    const first = createTransport(async () => {
      await sleep(5_000);
      return [];
    });
    startRelay(first);
    await until(() => expect(first.calls).toHaveLength(1));
    const second = createTransport();
    startRelay(second);
    await untilEmpty();
    expect(second.calls).toEqual([]);
    expect(first.sent).toEqual(['a']);
  });

  it('a relay that lost its lease while it published deletes and changes nothing', async () => {
    await append('a', 'b');
    await append('c');
    let returns: () => void = () => undefined;
    const transport = createTransport(async (messages) => {
      await new Promise<void>((resolve) => (returns = resolve));
      return messages.slice(0, 1);
    });
    const relay = startRelay(transport);
    await until(() => expect(transport.calls).toHaveLength(1));
    await database.query(
      "UPDATE relay_leases SET holder = $1, fencing_token = fencing_token + 1, expires_at = now() + interval '3900 ms'",
      [randomUUID()],
    );
    returns();
    await sleep(100);
    expect(await kept()).toEqual([['a', 'b'], ['c']]);
    transport.answer = () => Promise.resolve([]);
    await sleep(400);
    expect(await kept()).toEqual([['a', 'b'], ['c']]);
    // It sends no more either, once it has seen that another holds the lease.
    expect(transport.calls.length).toBeLessThanOrEqual(2);
    returns();
    await relay.stop();
  });
});
