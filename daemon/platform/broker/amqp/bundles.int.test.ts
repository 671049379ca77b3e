import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { createTestVhost, type TestVhost } from '../../../../tests/support/broker/vhost.ts';
import type {
  Broker,
  Consumer,
  DeadLetter,
  Handling,
  InboundMessage,
  OutboundMessage,
} from '../broker.ts';
import { createLog } from '../../log.ts';
import { createTransientRejection } from '../../transient-rejection.ts';
import { createAmqpBroker } from './index.ts';

const queue = 'lines';
const done: Handling = { kind: 'done' };
const poison: Handling = { kind: 'dead', reason: 'INVALID_ARGUMENT', field: 'data.n' };

let vhost: TestVhost;
let connection: ChannelModel;
let channel: ConfirmChannel;
let broker: Broker | undefined;
let handled: number[];
let letters: DeadLetter[];

beforeEach(async () => {
  vhost = await createTestVhost();
  connection = await connect(vhost.url);
  channel = await connection.createConfirmChannel();
  handled = [];
  letters = [];
});
afterEach(async () => {
  await broker?.stop();
  broker = undefined;
  await connection.close();
  await vhost.drop();
});

const until = (check: () => void | Promise<void>) =>
  vi.waitFor(check, { timeout: 30_000, interval: 50 });

const eventOf = (n: number | string): OutboundMessage => ({
  messageId: `event ${n}`,
  routingKey: 'transaction.created',
  body: { pattern: 'transaction_created', data: { n } },
});
const numbers = (count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, i) => from + i);

const numberOf = ({ body }: InboundMessage): unknown =>
  (body as { readonly data?: { readonly n?: unknown } }).data?.n;

const handleAll: Consumer['handle'] = (messages) =>
  Promise.resolve(
    messages.map((message) => {
      const n = numberOf(message);
      if (typeof n !== 'number') return poison;
      handled.push(n);
      return done;
    }),
  );

async function start(handle = handleAll): Promise<Broker> {
  broker = createAmqpBroker(vhost.url, createLog('silent'));
  const storeDeadLetters = (stored: readonly DeadLetter[]) => {
    letters.push(...stored);
    return Promise.resolve();
  };
  const bindings = [{ exchange: 'wallet.events', routingKey: 'transaction.created' }];
  await broker.start([{ queue, bindings, maxBatch: 2_000, handle, storeDeadLetters }]);
  await until(() => expect(broker?.findTrouble()).toBeUndefined());
  return broker;
}

/** What was not confirmed, by our own queue or by listeners. */
async function publish(to: Broker, messages: readonly OutboundMessage[]) {
  const left = await Promise.all([to.publish(messages, 'own'), to.publish(messages, 'listeners')]);
  return left.flat();
}

const count = async (name: string): Promise<number> =>
  (await channel.checkQueue(name)).messageCount;

it('our own queue gets events in bundles, in order; listeners get single events', async () => {
  const started = await start();
  await channel.assertQueue('listener');
  await channel.bindQueue('listener', 'wallet.events', '#');
  expect(await publish(started, numbers(1_000).map(eventOf))).toEqual([]);
  await until(() => expect(handled).toEqual(numbers(1_000)));
  await until(async () => expect(await count('listener')).toBe(1_000));
  const first = await channel.get('listener', { noAck: true });
  expect(first && JSON.parse(first.content.toString())).toEqual(eventOf(0).body);
});

it('holds come in the same bundles as movements, in order, without a binding of their own', async () => {
  const started = await start();
  await channel.assertQueue('holds');
  await channel.bindQueue('holds', 'wallet.events', 'hold.*');
  await channel.assertQueue('all');
  await channel.bindQueue('all', 'wallet.events', '#');
  const keys = ['transaction.created', 'hold.placed', 'hold.released'];
  const events = numbers(600).map((n) => ({ ...eventOf(n), routingKey: keys[n % 3] ?? '' }));
  expect(await publish(started, events)).toEqual([]);
  await until(() => expect(handled).toEqual(numbers(600)));
  await until(async () => expect(await count('holds')).toBe(400));
  await until(async () => expect(await count('all')).toBe(600));
  for (const n of numbers(600)) {
    const got = await channel.get('all', { noAck: true });
    expect(got && JSON.parse(got.content.toString())).toEqual(eventOf(n).body);
  }
});

it('a queue that an earlier version bound to single events gets each event once', async () => {
  await (await start()).stop();
  await channel.bindQueue(queue, 'wallet.events', 'transaction.created');
  const started = await start();
  expect(await publish(started, numbers(300).map(eventOf))).toEqual([]);
  await until(() => expect(handled).toEqual(numbers(300)));
  await until(async () => expect(await count(queue)).toBe(0));
  expect(handled).toHaveLength(300);
});

it('a listener whose queue is full refuses its events, and our own queue gets them all', async () => {
  const started = await start();
  const options = { arguments: { 'x-max-length': 10, 'x-overflow': 'reject-publish' } };
  await channel.assertQueue('full', options);
  await channel.bindQueue('full', 'wallet.events', '#');
  const events = numbers(300).map(eventOf);
  expect(await started.publish(events, 'own')).toEqual([]);
  expect((await started.publish(events, 'listeners')).length).toBeGreaterThan(200);
  await until(() => expect(handled).toEqual(numbers(300)));
});

it('events without a queue for their bundles stay unconfirmed', async () => {
  const started = await start();
  await channel.unbindQueue(queue, 'wallet.bundles', 'transaction.created');
  const events = numbers(300).map(eventOf);
  expect(await publish(started, events)).toEqual(events);
});

it('a poison event in a bundle is one dead letter, and the others are handled', async () => {
  const started = await start();
  const events = [...numbers(100), 'poison', ...numbers(100, 100)].map(eventOf);
  expect(await publish(started, events)).toEqual([]);
  await until(() => expect(handled).toEqual(numbers(200)));
  await until(() => expect(letters).toHaveLength(1));
  expect(letters[0]).toMatchObject({ reason: 'INVALID_ARGUMENT', field: 'data.n' });
  expect(JSON.parse(letters[0]?.text ?? '')).toEqual(eventOf('poison').body);
  await until(async () => expect(await count(queue)).toBe(0));
});

it('single events and bundles on one queue are handled in their order', async () => {
  const started = await start();
  const send = (n: number): void => {
    const body = Buffer.from(JSON.stringify(eventOf(n).body));
    channel.sendToQueue(queue, body, { persistent: true, messageId: `single ${n}` });
  };
  for (let from = 0; from < 400; from += 100) {
    send(from);
    await channel.waitForConfirms();
    expect(await publish(started, numbers(99, from + 1).map(eventOf))).toEqual([]);
  }
  await until(() => expect(handled).toEqual(numbers(400)));
});

it('a bundle that was handled in part is finished, and only the rest is handled again', async () => {
  const busy = createTransientRejection({ reason: 'WALLET_BUSY', message: 'x', metadata: {} });
  const calls: unknown[][] = [];
  let failures = 2;
  const started = await start((messages) => {
    calls.push(messages.map(numberOf));
    if (calls.length <= failures) return Promise.reject(busy);
    return Promise.resolve(
      messages.map((message) => {
        const n = numberOf(message) as number;
        if (n === 7 && calls.length < failures + 3) return { kind: 'held' };
        handled.push(n);
        return n === 3 ? poison : done;
      }),
    );
  });
  failures = 2;
  expect(await publish(started, numbers(10).map(eventOf))).toEqual([]);
  await until(() => expect(handled).toEqual([...numbers(7), 8, 9, 7]));
  await until(async () => expect(await count(queue)).toBe(0));
  expect(calls.slice(failures + 1).every((call) => call.join() === '7')).toBe(true);
  await until(() => expect(letters).toHaveLength(1));
});

it('bundles that a stopped daemon had not acknowledged come again', async () => {
  const started = await start(() => new Promise(() => undefined));
  expect(await publish(started, numbers(600).map(eventOf))).toEqual([]);
  // Its work never ends: the connection is cut, as by a kill.
  await vhost.ctl('close_all_connections', '-p', vhost.name, 'cut');
  broker = undefined;
  void started.stop();
  connection = await connect(vhost.url);
  channel = await connection.createConfirmChannel();
  await start();
  await until(() => expect(new Set(handled)).toEqual(new Set(numbers(600))));
});
