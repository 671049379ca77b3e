import type { ConsumeMessage } from 'amqplib';

import type { InboundMessage } from '../broker.ts';
import { readBundle } from './bundles.ts';
import { findSizeFault, toInbound, type Dead, type DeadLettered } from './letters.ts';

/** A message to be handled: a delivery of its own, or a part of a bundle. */
export type Part = {
  /** Undefined for what is dead unread. */
  readonly inbound: InboundMessage | undefined;
  readonly verdict?: Dead;
  /** What is dead-lettered, where it has to be. */
  readonly letter: () => DeadLettered;
  isDone: boolean;
};

/**
 * The parts of deliveries, those of bundles where the queue gets them. Each delivery is read once,
 * however often it is tried, and remembers which of its parts are done.
 */
export function createDeliveries(isBundled: boolean): (message: ConsumeMessage) => readonly Part[] {
  const known = new WeakMap<ConsumeMessage, readonly Part[]>();
  return (message) => {
    const parts = known.get(message) ?? read(message, isBundled);
    known.set(message, parts);
    return parts;
  };
}

function read(message: ConsumeMessage, isBundled: boolean): readonly Part[] {
  const { messageId, userId } = message.properties as { messageId?: string; userId?: string };
  const whole: DeadLettered = { messageId, userId, content: message.content };
  const letter = (): DeadLettered => whole;
  const fault = findSizeFault(message);
  if (fault) return [{ inbound: undefined, verdict: fault, letter, isDone: false }];
  const inbound = toInbound(message);
  const events = isBundled ? readBundle(inbound) : undefined;
  if (events === undefined) return [{ inbound, letter, isDone: false }];
  if ('kind' in events) return [{ inbound: undefined, verdict: events, letter, isDone: false }];
  return events.map((event) => toPart(event));
}

function toPart(inbound: InboundMessage): Part {
  let made: DeadLettered | undefined;
  const letter = (): DeadLettered => {
    const { messageId, userId, text } = inbound;
    return (made ??= { messageId, userId, content: Buffer.from(text) });
  };
  return { inbound, letter, isDone: false };
}
