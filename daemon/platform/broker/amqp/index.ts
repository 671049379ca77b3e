import type { Broker } from '../broker.ts';
import { createSerial } from '../../concurrency/serial.ts';
import type { Log } from '../../log.ts';
import { unwatched, type ProgressWatch } from '../../progress/watch.ts';
import type { BundleLimits } from './bundles.ts';
import { subscribe, subscribeDead, type Subscription } from './consumer.ts';
import { createPublisher } from './publisher.ts';

/**
 * The transport over RabbitMQ. Connections to publish and to consume are separate, so that a
 * broker which blocks publishers goes on delivering. It may be unavailable at any time, also when
 * the daemon starts.
 * `limits` are of the bundles for our own queues.
 */
export function createAmqpBroker(
  url: string,
  log: Log,
  watch: ProgressWatch = unwatched,
  limits?: BundleLimits,
): Broker {
  const publisher = createPublisher(url, log, limits);
  let subscriptions: readonly Subscription[] = [];
  const stopConsuming = async (): Promise<void> => {
    const stopping = subscriptions;
    subscriptions = [];
    await Promise.all(stopping.map((subscription) => subscription.stop()));
  };
  return {
    publish: publisher.publish,
    start: (consumers) => {
      subscriptions = consumers.flatMap((consumer) => {
        // Both sessions declare both queues. RabbitMQ answers a second declaration of a quorum
        // queue before the first has started the queue, and a consumer that begins then loses its
        // connection (541, noproc; seen on 3.10).
        const declare = createSerial();
        const options = { url, log, publisher, watch, declare };
        return [subscribe(consumer, options), subscribeDead(consumer, options)];
      });
      return Promise.resolve();
    },
    stopConsuming,
    stop: async () => {
      await stopConsuming();
      await publisher.stop();
    },
    findTrouble: () =>
      [publisher, ...subscriptions].map((part) => part.findTrouble()).find((t) => t !== undefined),
  };
}
