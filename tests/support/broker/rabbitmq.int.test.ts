import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

import { connect, type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { queueWrittenMs, startRabbitMq, type RabbitMq } from './rabbitmq.ts';
import { createTestVhost, type TestVhost } from './vhost.ts';

const quorum = { durable: true, arguments: { 'x-queue-type': 'quorum' } };

async function withChannel<T>(
  url: string,
  work: (channel: ConfirmChannel, connection: ChannelModel) => Promise<T>,
): Promise<T> {
  const connection = await connect(url);
  // A connection that is cut reports it here; the work fails by itself.
  connection.on('error', () => undefined);
  try {
    return await work(await connection.createConfirmChannel(), connection);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

async function publish(channel: ConfirmChannel, queue: string, text: string): Promise<void> {
  await channel.assertQueue(queue, quorum);
  channel.sendToQueue(queue, Buffer.from(text), { persistent: true });
  await channel.waitForConfirms();
}

function consumeOne(channel: ConfirmChannel, queue: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const take = (message: ConsumeMessage | null): void => {
      if (message) channel.ack(message);
      resolve(message ? message.content.toString() : 'the consumer was cancelled');
    };
    channel.consume(queue, take).catch(reject);
  });
}

describe('the shared broker', () => {
  let vhost: TestVhost;
  beforeAll(async () => {
    vhost = await createTestVhost();
  });
  afterAll(() => vhost.drop());

  test('the shared broker passes a message through a quorum queue of its own vhost', async () => {
    const got = await withChannel(vhost.url, async (channel) => {
      await publish(channel, 'one', 'hello');
      return consumeOne(channel, 'one');
    });
    expect(got).toBe('hello');
    const queues = await vhost.ctl('list_queues', '-p', vhost.name, 'name', 'type');
    expect(queues).toMatch(/^one\s+quorum$/m);
  });
});

describe('private brokers', () => {
  let broker: RabbitMq;
  let url: string;
  beforeAll(async () => {
    broker = await startRabbitMq();
    url = broker.url(await broker.createVhost());
  }, 120_000);
  afterAll(() => broker.dispose());

  test('a private broker keeps a confirmed message through kill -9 and a clean stop', async () => {
    await withChannel(url, async (channel) => {
      await channel.assertQueue('kept', quorum);
      await delay(queueWrittenMs);
      await publish(channel, 'kept', 'survivor');
      await broker.kill();
    });
    await expect(connect(url)).rejects.toThrow('ECONNREFUSED');
    await broker.start();
    await broker.stopApp();
    await broker.start();
    expect(await withChannel(url, (channel) => consumeOne(channel, 'kept'))).toBe('survivor');
  });

  test('a private broker is silent while frozen, and resumes when thawed', async () => {
    await withChannel(url, async (channel) => {
      broker.freeze();
      const confirmed = publish(channel, 'cold', 'later').then(() => 'confirmed');
      expect(await Promise.race([confirmed, delay(1_000, 'silence')])).toBe('silence');
      broker.thaw();
      expect(await confirmed).toBe('confirmed');
    });
  });

  test('a private broker confirms nothing during a memory alarm', async () => {
    await withChannel(url, async (channel, connection) => {
      await channel.assertQueue('full', quorum);
      const blocked = once(connection, 'blocked');
      await broker.ctl('set_vm_memory_high_watermark', '0.00001');
      const confirmed = publish(channel, 'full', 'held back').then(() => 'confirmed');
      await blocked;
      expect(await Promise.race([confirmed, delay(500, 'silence')])).toBe('silence');
      await broker.ctl('set_vm_memory_high_watermark', '0.4');
      expect(await confirmed).toBe('confirmed');
    });
  });
});
