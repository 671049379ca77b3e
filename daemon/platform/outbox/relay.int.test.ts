import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createTransport, messageOf } from '../../../tests/support/grpc/transport.ts';
import type { OutboundMessage } from '../broker/broker.ts';
import { createDb, sql } from '../db/db.ts';
import { createLog } from '../log.ts';
import { appendOutbox } from './relay.ts';
import { createRelayWorld, until, type RelayWorld } from './test-support.ts';

const log = createLog('silent');
let world: RelayWorld;
beforeEach(async () => {
  world = await createRelayWorld();
});
afterEach(() => world.dispose());

describe('the relay', () => {
  it('the relay sends rows in order of id, their messages in order, and deletes them', async () => {
    const ids = Array.from({ length: 100 }, (_, i) => `m${i}`);
    for (let i = 0; i < ids.length; i += 2) await world.append(...ids.slice(i, i + 2));
    const transport = createTransport();
    world.startRelay(transport);
    await world.untilEmpty();
    expect(transport.sent).toEqual(ids);
  });

  it('the relay passes on a message unchanged', async () => {
    await world.append('é "quoted" \\ 日本');
    const given: OutboundMessage[] = [];
    world.startRelay(
      createTransport((messages) => {
        given.push(...messages);
        return Promise.resolve([]);
      }),
    );
    await world.untilEmpty();
    expect(given).toEqual([messageOf('é "quoted" \\ 日本')]);
  });

  it('the relay finds rows from before its start, and later ones, woken or not', async () => {
    await world.append('before');
    const transport = createTransport();
    const relay = world.startRelay(transport);
    await world.untilEmpty();
    await world.append('later');
    await world.untilEmpty();
    await world.append('woken');
    relay.wake();
    await world.untilEmpty();
    expect(transport.sent).toEqual(['before', 'later', 'woken']);
  });

  it('nothing of a transaction that is rolled back is sent', async () => {
    const transport = createTransport();
    const relay = world.startRelay(transport);
    const failed = world.database.db.tx(async (tx) => {
      await appendOutbox(tx, [messageOf('never')]);
      relay.wake();
      throw new Error('rolled back');
    });
    await expect(failed).rejects.toThrow('rolled back');
    await world.append('real');
    await world.untilEmpty();
    expect(transport.sent).toEqual(['real']);
  });

  it('a stop sends what was committed just before it', async () => {
    await world.append('first');
    const transport = createTransport();
    const relay = world.startRelay(transport);
    await until(() => expect(transport.sent).toEqual(['first']));
    const rest = ['a', 'b', 'c'];
    for (const id of rest) await world.append(id);
    await relay.stop();
    expect(transport.sent).toEqual(['first', ...rest]);
    expect(await world.readOutbox()).toEqual([]);
  });

  it('a commit without messages leaves no outbox row', async () => {
    await world.append();
    expect(await world.readOutbox()).toEqual([]);
  });
});

describe('unconfirmed messages', () => {
  it('an outbox row is kept while publishing fails, and sent in order once it works', async () => {
    await world.append('a', 'b');
    await world.append('c');
    const transport = createTransport(() => Promise.reject(new Error('the broker is unavailable')));
    world.startRelay(transport);
    await until(() => expect(transport.calls.length).toBeGreaterThanOrEqual(2));
    expect(await world.readOutbox()).toEqual([['a', 'b'], ['c']]);
    transport.answer = () => Promise.resolve([]);
    await world.untilEmpty();
    expect(transport.sent).toEqual(['a', 'b', 'c']);
  });

  it('an unconfirmed message stays in its row; a confirmed one is not sent again', async () => {
    await world.append('a', 'b', 'c');
    await world.append('d');
    const transport = createTransport((messages) =>
      Promise.resolve(messages.filter((message) => message.messageId === 'b')),
    );
    world.startRelay(transport);
    await until(async () => expect(await world.readOutbox()).toEqual([['b']]));
    transport.answer = () => Promise.resolve([]);
    await world.untilEmpty();
    expect(transport.sent).toEqual(['a', 'c', 'd', 'b']);
  });

  it('more commits do not make the relay retry faster', async () => {
    await world.append('a');
    const transport = createTransport(() => Promise.reject(new Error('the broker is unavailable')));
    const startedAtMs = performance.now();
    const relay = world.startRelay(transport);
    await until(() => expect(transport.calls.length).toBeGreaterThanOrEqual(1));
    for (let i = 0; i < 60; i += 1) {
      relay.wake();
      await sleep(5);
    }
    const calls = transport.calls.length;
    const tookMs = performance.now() - startedAtMs;
    // Pauses of 200, 400, 800 ms and so on.
    const due = [0, 200, 600, 1_400, 3_000, 6_200].filter((ms) => ms <= tookMs);
    expect(calls).toBeLessThanOrEqual(due.length);
  });

  it('an outbox row is kept while the database is lost after it was published', async () => {
    await world.append('a');
    const dying = createDb({ url: world.database.url, name: 'dying', maxConnections: 2, log });
    const { username, pathname } = new URL(world.database.url);
    const setLimit = (limit: number) =>
      world.database.query(`ALTER DATABASE ${pathname.slice(1)} CONNECTION LIMIT ${limit}`);
    const transport = createTransport(async () => {
      // No new connection of the role, and no old one.
      await setLimit(0);
      await world.database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = $1`,
        [username],
      );
      return [];
    });
    const relay = world.startRelay(transport, dying);
    await until(() => expect(transport.sent).toEqual(['a']));
    const oneSql = sql('test_one', 'SELECT 1');
    await until(() => expect(dying.read((tx) => tx.query(oneSql))).rejects.toThrow());
    expect(await world.readOutbox()).toEqual([['a']]);
    transport.answer = () => Promise.resolve([]);
    await setLimit(-1);
    await world.untilEmpty();
    await relay.stop();
    await dying.close();
    expect([...new Set(transport.sent)]).toEqual(['a']);
    // Sent again, as its row was still there.
    expect(transport.sent.length).toBeGreaterThan(1);
  });
});

it('a stop of the relay ends after the round in flight, and leaves no timer behind', async () => {
  const countTimers = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  await world.append('a');
  const timers = countTimers();
  const transport = createTransport(async () => {
    await sleep(100);
    return [];
  });
  const db = createDb({ url: world.database.url, name: 'own', maxConnections: 2, log });
  const relay = world.startRelay(transport, db);
  await until(() => expect(transport.calls).toHaveLength(1));
  await relay.stop();
  expect(transport.sent).toEqual(['a']);
  expect(await world.readOutbox()).toEqual([]);
  await db.close();
  expect(countTimers()).toBeLessThanOrEqual(timers);
});
