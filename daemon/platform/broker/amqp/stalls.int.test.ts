import { connect, type Channel, type ChannelModel } from 'amqplib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { createTestVhost, type TestVhost } from '../../../../tests/support/broker/vhost.ts';
import type { Broker, Consumer } from '../broker.ts';
import { createTransientRejection } from '../../transient-rejection.ts';
import { createLog } from '../../log.ts';
import { describeTrouble } from '../../progress/reasons.ts';
import { createProgressWatch, type ProgressWatch } from '../../progress/watch.ts';
import { createAmqpBroker } from './index.ts';
import { watchQueue } from './queue-progress.ts';

const log = createLog('silent');
const queue = 'wallet_queue';
const stallMs = 1_000;
let vhost: TestVhost;
let connection: ChannelModel;
let channel: Channel;
let watch: ProgressWatch;
let broker: Broker | undefined;

beforeEach(async () => {
  vhost = await createTestVhost();
  connection = await connect(vhost.url);
  connection.on('error', () => undefined);
  channel = await connection.createChannel();
  channel.on('error', () => undefined);
  watch = createProgressWatch({ log, describe: describeTrouble, stallMs });
  watch.start();
});
afterEach(async () => {
  await broker?.stop();
  broker = undefined;
  watch.stop();
  await connection.close().catch(() => undefined);
  await vhost.drop();
});

const stateOf = (name: string) => watch.read().find(({ part }) => part === `consumer.${name}`);
const until = (check: () => void, timeout = 20_000) => vi.waitFor(check, { timeout, interval: 50 });
const untilStalled = (reason: RegExp, timeout?: number) =>
  until(() => {
    expect(stateOf(queue)?.isStalled).toBe(true);
    expect(stateOf(queue)?.reason).toMatch(reason);
  }, timeout);
const untilWell = (timeout?: number) =>
  until(() => expect(stateOf(queue)).toMatchObject({ isStalled: false, ageMs: 0 }), timeout);

/** A daemon that consumes the queue; `handle` decides about each batch. */
async function consume(handle: Consumer['handle']): Promise<void> {
  broker = createAmqpBroker(vhost.url, log, watch);
  const storeDeadLetters = () => Promise.resolve();
  await broker.start([{ queue, bindings: [], maxBatch: 10, handle, storeDeadLetters }]);
  await until(() => expect(broker?.findTrouble()).toBeUndefined());
}
const send = () => channel.sendToQueue(queue, Buffer.from('{}'));
const done = { kind: 'done' } as const;

it('messages that are held are a stall with the reason, until they are handled', async () => {
  const message = 'the auth service is unavailable: nothing was done, try again';
  let isAway = true;
  await consume((messages) =>
    isAway
      ? Promise.reject(
          createTransientRejection({ reason: 'AUTH_UNAVAILABLE', message, metadata: {} }),
        )
      : Promise.resolve(messages.map(() => done)),
  );
  await untilWell();
  send();
  await untilStalled(/^the message at the head of wallet_queue waits: the auth service is/);
  expect(stateOf(`${queue}.dead`)).toMatchObject({ isStalled: false });
  isAway = false;
  await untilWell();
});

it('messages whose handling never ends are a stall', async () => {
  let end: () => void = () => undefined;
  await consume(async (messages) => {
    await new Promise<void>((resolve) => (end = resolve));
    return messages.map(() => done);
  });
  send();
  await untilStalled(/nothing was finished/);
  end();
  await untilWell();
});

it('a queue that is deleted under its consumer is declared again, and consumed', async () => {
  let handled = 0;
  await consume((messages) => {
    handled += messages.length;
    return Promise.resolve(messages.map(() => done));
  });
  await channel.deleteQueue(queue);
  await until(() => {
    if (handled === 0) send();
    expect(handled).toBeGreaterThan(0);
  });
  await untilWell();
});

it('a queue declared again with other arguments is a stall with the broker’s error', async () => {
  await consume((messages) => Promise.resolve(messages.map(() => done)));
  await channel.deleteQueue(queue);
  await channel.assertQueue(queue, { durable: true });
  await untilStalled(/PRECONDITION_FAILED.*wallet_queue/);
  await channel.deleteQueue(queue);
  await untilWell(40_000);
});

it('a consumer whose connection is closed and refused is a stall until it reconnects', async () => {
  await consume((messages) => Promise.resolve(messages.map(() => done)));
  await untilWell();
  await vhost.ctl('clear_permissions', '-p', vhost.name, userOf());
  await vhost.ctl('close_all_connections', '--vhost', vhost.name, 'for a test');
  await untilStalled(/./);
  await vhost.ctl('set_permissions', '-p', vhost.name, userOf(), '.*', '.*', '.*');
  await untilWell(40_000);
});

it('messages that wait and are not delivered are a stall, until none waits', async () => {
  const confirming = await connection.createConfirmChannel();
  await confirming.assertQueue(queue, { durable: true });
  const progress = watchQueue(queue, watch, { consuming: () => undefined }, 200);
  // It is open, and no consumer is there: as if the broker had forgotten it.
  progress.open(confirming, () => false);
  await untilWell();
  send();
  await untilStalled(/^1 messages wait in wallet_queue, and the broker delivers none$/);
  await confirming.purgeQueue(queue);
  await untilWell();
  progress.stop();
});

it('dead letters that cannot be published are a stall with the publisher’s reason', async () => {
  const publishing = () => 'the broker takes no messages: low on memory';
  const progress = watchQueue(queue, watch, { consuming: () => undefined, publishing });
  progress.begin();
  await untilStalled(/^the broker takes no messages: low on memory$/);
  progress.hold('the database is unavailable');
  expect(stateOf(queue)?.reason).toMatch(/the head of wallet_queue waits: the database/);
  progress.stop();
});

const userOf = (): string => decodeURIComponent(new URL(vhost.url).username);
