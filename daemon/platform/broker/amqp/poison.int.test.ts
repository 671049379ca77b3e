import { randomUUID } from 'node:crypto';

import { connect, type ChannelModel, type ConfirmChannel, type Options } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import {
  createTestDatabase,
  type TestDatabase,
} from '../../../../tests/support/postgres/database.ts';
import { publishDeepHeaders } from '../../../../tests/support/broker/deep-headers.ts';
import { createTestVhost, type TestVhost } from '../../../../tests/support/broker/vhost.ts';
import type { Broker, Consumer, DeadLetter, Handling, InboundMessage } from '../broker.ts';
import { sql } from '../../db/db.ts';
import { createTransientRejection } from '../../transient-rejection.ts';
import { createLog } from '../../log.ts';
import { createAmqpBroker } from './index.ts';

const log = createLog('silent');
const queue = 'poison_queue';
const done: Handling = { kind: 'done' };
const unavailable = createTransientRejection({
  reason: 'DATABASE_UNAVAILABLE',
  message: 'x',
  metadata: {},
});

let vhost: TestVhost;
let connection: ChannelModel;
let channel: ConfirmChannel;
let brokers: Broker[];
let handled: string[];
let letters: DeadLetter[];

beforeEach(async () => {
  vhost = await createTestVhost();
  connection = await connect(vhost.url);
  connection.on('error', () => undefined);
  channel = await connection.createConfirmChannel();
  channel.on('error', () => undefined);
  brokers = [];
  handled = [];
  letters = [];
});
afterEach(async () => {
  await Promise.all(brokers.map((broker) => broker.stop()));
  await connection.close().catch(() => undefined);
  await vhost.drop();
});

const until = (check: () => void | Promise<void>, timeout = 30_000) =>
  vi.waitFor(check, { timeout, interval: 50 });
const done1 = ({ messageId = '' }: InboundMessage): Handling => {
  handled.push(messageId);
  return done;
};
const handleAll: Consumer['handle'] = (messages) => Promise.resolve(messages.map(done1));

/** A daemon that consumes the queue. */
async function consume(handle: Consumer['handle'], maxBatch = 2_000): Promise<Broker> {
  const broker = createAmqpBroker(vhost.url, log);
  brokers.push(broker);
  const storeDeadLetters = (buried: readonly DeadLetter[]) => {
    letters.push(...buried);
    return Promise.resolve();
  };
  await broker.start([{ queue, bindings: [], maxBatch, handle, storeDeadLetters }]);
  await until(() => expect(broker.findTrouble()).toBeUndefined());
  return broker;
}

function send(messageId: string, body: string | Buffer = '{}', options: Options.Publish = {}) {
  const all = { persistent: true, messageId, ...options };
  channel.sendToQueue(queue, Buffer.from(body), all);
}

async function sendMany(names: readonly string[], body?: string | Buffer): Promise<void> {
  for (const name of names) send(name, body);
  await channel.waitForConfirms();
}

/** Ready: the broker has them, and no consumer. */
const countReady = async (): Promise<number> => (await channel.checkQueue(queue)).messageCount;
const namesOf = (count: number, prefix = 'm'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('messages that the database refuses', () => {
  let database: TestDatabase;
  const storeSql = sql('test_poison', 'SELECT $1::text');
  beforeEach(async () => {
    database = await createTestDatabase('statement');
  });
  afterEach(() => database.drop());

  it('a message that the database refuses is dead-lettered; others are handled', async () => {
    await consume(async (messages) => {
      await database.db.tx(async (tx) => {
        for (const { body } of messages) await tx.query(storeSql, [(body as { a: string }).a]);
      });
      return messages.map(done1);
    });
    const bad = namesOf(4, 'bad');
    const good = namesOf(300);
    for (const [i, name] of good.entries()) {
      if (i % 75 === 20) send(bad[Math.floor(i / 75)] ?? '', JSON.stringify({ a: 'a NUL: \0' }));
      send(name, JSON.stringify({ a: name }));
    }
    await channel.waitForConfirms();
    await until(() => expect(letters.map(({ messageId }) => messageId).sort()).toEqual(bad));
    await until(() => expect(new Set(handled)).toEqual(new Set(good)));
    expect(letters.map(({ reason }) => reason)).toEqual(bad.map(() => 'INTERNAL'));
  });
});

it('a message that fails by itself is dead-lettered; others are handled meanwhile', async () => {
  await consume((messages) => {
    if (messages.some(({ messageId }) => messageId === 'bad')) throw new TypeError('a defect');
    return handleAll(messages);
  });
  send('bad');
  let next = 0;
  const timer = setInterval(() => send(`m${next++}`), 100);
  try {
    await until(() => expect(letters.map(({ messageId }) => messageId)).toEqual(['bad']));
  } finally {
    clearInterval(timer);
  }
  expect(handled.length).toBeGreaterThan(3);
});

it('a message with deeply nested headers is handled, and blocks no other', async () => {
  await consume(handleAll);
  send('before');
  await channel.waitForConfirms();
  await publishDeepHeaders(connection, queue, 'deep', '{}');
  send('after');
  await until(() => expect(new Set(handled)).toEqual(new Set(['before', 'deep', 'after'])));
});

it('bytes that are no UTF-8, and a body that is too large, are never read as JSON', async () => {
  const bodies = new Map<string, unknown>();
  await consume((messages) => {
    for (const { messageId = '', body } of messages) bodies.set(messageId, body);
    return handleAll(messages);
  });
  send('latin', Buffer.from('{"a":"caf\xe9"}', 'latin1'));
  send('right', '{"a":"café"}');
  send('large', JSON.stringify({ a: 'x'.repeat(300_000) }));
  await until(() => expect([...bodies.keys()].sort()).toEqual(['latin', 'right']));
  await until(() => expect(letters).toHaveLength(1));
  expect(bodies.get('latin')).toBeUndefined();
  expect(bodies.get('right')).toEqual({ a: 'café' });
  expect(letters[0]).toMatchObject({ messageId: 'large', reason: 'MESSAGE_TOO_LARGE' });
  expect(letters[0]?.content).toHaveLength(300_008);
});

describe('messages that were not handled', () => {
  it('25 stops while the database is unavailable lose no message', async () => {
    const names = namesOf(200);
    const first = await consume(() => Promise.reject(unavailable));
    await first.stop();
    await sendMany(names);
    for (let i = 0; i < 25; i += 1) {
      let isTried = false;
      const broker = await consume(() => {
        isTried = true;
        return Promise.reject(unavailable);
      });
      await until(() => expect(isTried).toBe(true));
      await broker.stop();
    }
    await consume(handleAll);
    const reached = () => [...handled, ...letters.map(({ messageId }) => messageId)];
    await until(() => expect(new Set(reached())).toEqual(new Set(names)));
  }, 120_000);

  it('messages that one daemon cannot handle nearly all go to another one', async () => {
    const names = namesOf(1_000);
    await consume(() => Promise.reject(unavailable));
    await sendMany(names);
    await until(async () => expect(await countReady()).toBeGreaterThan(950));
    await consume(handleAll);
    await until(() => expect(handled.length).toBeGreaterThan(950));
    expect(letters).toEqual([]);
  });

  it('messages are delivered in large batches again once they can be handled', async () => {
    let isAway = true;
    const batches: number[] = [];
    await consume((messages) => {
      if (isAway) return Promise.reject(unavailable);
      batches.push(messages.length);
      return handleAll(messages);
    });
    const names = namesOf(5_000);
    await sendMany(names);
    await until(async () => expect(await countReady()).toBeGreaterThan(4_900));
    isAway = false;
    await until(() => expect(handled).toHaveLength(5_000));
    expect(new Set(handled)).toEqual(new Set(names));
    expect(Math.max(...batches)).toBeGreaterThan(200);
  });
});

it('large messages are fetched a few at a time, and all are handled', async () => {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  await consume(async (messages) => {
    await opened;
    return handleAll(messages);
  });
  const body = Buffer.alloc(200_000, ' ');
  const names = namesOf(600);
  await sendMany(names, body);
  // 32 MiB at most are ours: the others stay with the broker.
  await until(async () => expect(await countReady()).toBeGreaterThan(400));
  open();
  await until(() => expect(new Set(handled)).toEqual(new Set(names)), 60_000);
  expect(letters).toEqual([]);
}, 120_000);

it('a message that is sent again is another delivery of the same dead letter', async () => {
  await consume((messages) =>
    Promise.resolve(messages.map(() => ({ kind: 'dead', reason: 'R', field: 'f' }) as const)),
  );
  const name = randomUUID();
  for (let i = 1; i <= 3; i += 1) {
    send(name);
    await until(() => expect(letters).toHaveLength(i));
  }
  expect(new Set(letters.map(({ id }) => id)).size).toBe(1);
  expect(new Set(letters.map(({ deliveryId }) => deliveryId)).size).toBe(3);
});
