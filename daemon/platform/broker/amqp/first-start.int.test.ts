import { expect, it, vi } from 'vitest';

import { createTestVhost } from '../../../../tests/support/broker/vhost.ts';
import { createLog } from '../../log.ts';
import type { Consumer } from '../broker.ts';
import { createAmqpBroker } from './index.ts';

const consumers: readonly Consumer[] = ['first', 'second', 'third'].map((queue) => ({
  queue,
  bindings: [],
  maxBatch: 10,
  handle: (messages) => Promise.resolve(messages.map(() => ({ kind: 'done' }))),
  storeDeadLetters: () => Promise.resolve(),
}));

/** All warnings of a daemon that meets a RabbitMQ without its queues. */
async function startOnEmptyVhost(): Promise<readonly unknown[]> {
  const vhost = await createTestVhost();
  const warnings: unknown[] = [];
  const log = createLog('silent');
  vi.spyOn(log, 'warn').mockImplementation((...said: readonly unknown[]) => warnings.push(said));
  const broker = createAmqpBroker(vhost.url, log);
  await broker.start(consumers);
  await vi.waitFor(() => expect(broker.findTrouble()).toBeUndefined(), { timeout: 20_000 });
  await broker.stop();
  await vhost.drop();
  return warnings;
}

it('consumers of a daemon declare the queues of an empty RabbitMQ without a warning', async () => {
  for (let i = 0; i < 6; i += 1) expect(await startOnEmptyVhost()).toEqual([]);
}, 60_000);
