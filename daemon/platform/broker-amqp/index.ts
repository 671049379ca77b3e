import { eventsExchange, type Broker } from '../broker.ts';
import type { Log } from '../log.ts';
import { subscribe, subscribeDead, type Subscription } from './consumer.ts';
import { createEchoes } from './echoes.ts';
import { createPublisher } from './publisher.ts';

/** As many as are on their way to a consumer that keeps up. */
const maxEchoes = 8_192;

/**
 * The transport over RabbitMQ. Connections to publish and to consume are separate, so that a
 * broker which blocks publishers goes on delivering. It may be away at any time, also at start.
 */
export function createAmqpBroker(url: string, log: Log): Broker {
  const echoes = createEchoes(maxEchoes);
  const publisher = createPublisher(url, log, echoes);
  let subscriptions: readonly Subscription[] = [];
  const stopConsuming = async (): Promise<void> => {
    const stopping = subscriptions;
    subscriptions = [];
    await Promise.all(stopping.map((subscription) => subscription.stop()));
  };
  return {
    publish: publisher.publish,
    start: (consumers) => {
      const isHeardHere = consumers.some(({ bindings }) =>
        bindings.some(({ exchange }) => exchange === eventsExchange),
      );
      if (isHeardHere) echoes.expect();
      const options = { url, log, publisher, echoes };
      subscriptions = consumers.flatMap((consumer) => [
        subscribe(consumer, options),
        subscribeDead(consumer, options),
      ]);
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
