import { connect } from 'amqplib';
import { expect, it, vi } from 'vitest';

import { startRabbitMq } from '../../../../tests/support/broker/rabbitmq.ts';
import type { Handling, InboundMessage } from '../broker.ts';
import { createLog, type Log } from '../../log.ts';
import { createAmqpBroker } from './index.ts';

const queue = 'late_queue';
const until = (check: () => void | Promise<void>) =>
  vi.waitFor(check, { timeout: 60_000, interval: 50 });

it('messages held past consumer_timeout are handled later; no warning says delete', async () => {
  const rabbit = await startRabbitMq();
  const problems: string[] = [];
  const log = Object.assign(Object.create(createLog('silent')) as Log, {
    warn: ({ problem = '' }: { problem?: string }) => void problems.push(problem),
  });
  try {
    const timeouts = ['consumer_timeout, 1000', 'channel_tick_interval, 300'];
    for (const setting of timeouts) {
      await rabbit.ctl('eval', `application:set_env(rabbit, ${setting}).`);
    }
    const url = rabbit.url(await rabbit.createVhost());
    const broker = createAmqpBroker(url, log);
    let isHeld = true;
    let letters = 0;
    const handled: (string | undefined)[] = [];
    const handle = async (messages: readonly InboundMessage[]): Promise<Handling[]> => {
      while (isHeld) await new Promise((resolve) => setTimeout(resolve, 50));
      handled.push(...messages.map(({ messageId }) => messageId));
      return messages.map(() => ({ kind: 'done' }));
    };
    const storeDeadLetters = () => Promise.resolve(void (letters += 1));
    await broker.start([{ queue, bindings: [], maxBatch: 10, handle, storeDeadLetters }]);
    await until(() => expect(broker.findTrouble()).toBeUndefined());
    const connection = await connect(url);
    const channel = await connection.createConfirmChannel();
    for (let i = 0; i < 20; i += 1) {
      channel.sendToQueue(queue, Buffer.from('{}'), { persistent: true, messageId: `m${i}` });
    }
    await channel.waitForConfirms();
    await connection.close();
    await until(() =>
      expect(problems.filter((problem) => problem.includes('timed out'))).not.toEqual([]),
    );
    expect(problems.join('\n')).not.toMatch(/delete/);
    isHeld = false;
    await until(() => expect(new Set(handled).size).toBe(20));
    expect(letters).toBe(0);
    await broker.stop();
  } finally {
    await rabbit.dispose();
  }
}, 180_000);
