import { randomUUID } from 'node:crypto';

import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createTestVhost, type TestVhost } from '../../../tests/support/vhost.ts';
import { encodePublications, type Publication } from './frames.ts';
import { rawChannelOf } from './raw-channel.ts';

let vhost: TestVhost;
let connection: ChannelModel;
let channel: ConfirmChannel;

beforeAll(async () => {
  vhost = await createTestVhost();
  connection = await connect(vhost.url);
  // Not the first number: the frames have it in them.
  await connection.createChannel();
  channel = await connection.createConfirmChannel();
  await channel.assertExchange('wallet.events', 'topic', { durable: true });
});
afterAll(async () => {
  await connection.close();
  await vhost.drop();
});

const publication = (change: Partial<Publication> = {}): Publication => ({
  exchange: 'wallet.events',
  routingKey: 'transaction.created',
  type: 'transaction_created',
  isMandatory: false,
  messageId: randomUUID(),
  text: JSON.stringify({ pattern: 'transaction_created', data: { text: 'x'.repeat(500) } }),
  ...change,
});

const various = [
  publication(),
  publication({ text: '{"é":"日本 😀"}' }),
  publication({ text: '' }),
  publication({ text: 'y'.repeat(60_000), isMandatory: true }),
  publication({ routingKey: 'transaction.rejected', type: 'transaction_rejected' }),
  publication(),
];

type Slots = { connection: { channels: { buffer: { write(bytes: Buffer): boolean } }[] } };

/** What amqplib writes for these, by its own way, on a channel that sends nothing. */
function publishByAmqplib(mute: ConfirmChannel, publications: readonly Publication[]): Buffer {
  const { number } = rawChannelOf(mute)!;
  const slot = (mute as unknown as Slots).connection.channels[number]!;
  const written: Buffer[] = [];
  const { write } = slot.buffer;
  slot.buffer.write = (bytes) => written.push(bytes) > 0;
  for (const { exchange, routingKey, text, messageId, type, isMandatory } of publications) {
    const options = { persistent: true, contentType: 'application/json', messageId, type };
    const whole = { ...options, mandatory: isMandatory };
    mute.publish(exchange, routingKey, Buffer.from(text), whole);
  }
  slot.buffer.write = write;
  return Buffer.concat(written);
}

describe('frames of our own', () => {
  it('are amqplib’s, byte for byte', async () => {
    const mute = await connection.createConfirmChannel();
    const { number } = rawChannelOf(mute)!;
    const { frames, bodies } = encodePublications(number, various);
    expect(frames.equals(publishByAmqplib(mute, various))).toBe(true);
    expect(bodies.map(String)).toEqual(various.map(({ text }) => text));
  });

  it('are taken by the broker, confirmed in turn with amqplib’s own, and arrive as they were', async () => {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, 'wallet.events', '#');
    const heard: string[] = [];
    await channel.consume(queue, (message) => {
      const properties: Record<string, unknown> = { ...message!.properties };
      const { messageId, type, deliveryMode } = properties;
      heard.push([messageId, type, deliveryMode].join(' '));
      expect(message!.content.toString()).toBe(
        various.find((sent) => sent.messageId === messageId)?.text,
      );
    });
    const raw = rawChannelOf(channel)!;
    const confirmed: string[] = [];
    for (const sent of various) {
      raw.write(encodePublications(raw.number, [sent]).frames);
      raw.expectConfirm((err) => confirmed.push(`${sent.messageId} ${String(err)}`));
      channel.publish('', 'nowhere', Buffer.from('x'));
    }
    await channel.waitForConfirms();
    expect(confirmed).toEqual(various.map(({ messageId }) => `${messageId} null`));
    await expect.poll(() => heard).toEqual(various.map((p) => `${p.messageId} ${p.type} 2`));
  });

  it('are refused once the channel is closed', async () => {
    const closing = await connection.createConfirmChannel();
    const raw = rawChannelOf(closing)!;
    await closing.close();
    expect(() => raw.write(Buffer.alloc(0))).toThrow('the channel is closed');
    expect(rawChannelOf(closing)).toBeUndefined();
  });
});
