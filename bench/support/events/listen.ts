import { connect } from 'amqplib';

import { eventsExchange } from '../../../daemon/platform/broker/broker.ts';

// An outside listener: a process of its own, so that its work is not the product's. Gets the
// broker's address as argument, says `ready` once its queue is bound, and gives the number of
// messages so far each time that it is asked.

const queue = 'bench.listener';
const prefetch = 1_000;
const ackEvery = 200;
const ackAfterMs = 50;

const connection = await connect(process.argv[2] ?? '');
const channel = await connection.createChannel();
await channel.assertExchange(eventsExchange, 'topic', { durable: true });
// As docs/events.md shows a listener.
await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
await channel.bindQueue(queue, eventsExchange, '#');
await channel.prefetch(prefetch);
let count = 0;
let lastTag: number | undefined;
const acknowledge = (): void => {
  if (lastTag === undefined) return;
  channel.ack({ fields: { deliveryTag: lastTag } } as never, true);
  lastTag = undefined;
};
await channel.consume(queue, (message) => {
  if (!message) throw new Error('the listener’s queue is gone');
  count += 1;
  lastTag = message.fields.deliveryTag;
  if (count % ackEvery === 0) acknowledge();
});
setInterval(acknowledge, ackAfterMs);
process.on('message', () => process.send?.(count));
process.once('disconnect', () => process.exit(0));
process.send?.('ready');
