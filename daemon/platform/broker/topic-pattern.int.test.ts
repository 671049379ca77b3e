import { connect, type Channel, type ChannelModel } from 'amqplib';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createTestVhost, type TestVhost } from '../../../tests/support/broker/vhost.ts';
import { matchesTopic } from './topic-pattern.ts';

let vhost: TestVhost;
let connection: ChannelModel;
let channel: Channel;

beforeAll(async () => {
  vhost = await createTestVhost();
  connection = await connect(vhost.url);
  channel = await connection.createChannel();
});
afterAll(async () => {
  await connection.close();
  await vhost.drop();
});

const patterns = ['', '#', '*', 'a', 'a.b', 'a.*', 'a.#', '#.b', '*.b', 'a.#.b', '#.a.#', '*.#.*'];
const keys = ['', 'a', 'b', 'a.b', 'a.', '.b', 'a.x.b', 'a..b', 'a.x.y.b', 'b.a.b', 'x.y', 'A.b'];

it('matchesTopic accepts exactly the keys that RabbitMQ routes for a pattern', async () => {
  const exchange = 'topic-pattern';
  await channel.assertExchange(exchange, 'topic', { durable: false });
  for (const pattern of patterns) {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, exchange, pattern);
    for (const key of keys) channel.publish(exchange, key, Buffer.from(key));
    const routed: string[] = [];
    // The same channel: what was published is routed before the queue is read.
    for (let got; (got = await channel.get(queue, { noAck: true }));) {
      routed.push(got.content.toString());
    }
    await channel.deleteQueue(queue);
    expect({ pattern, routed }).toEqual({
      pattern,
      routed: keys.filter((key) => matchesTopic(pattern, key)),
    });
  }
});
