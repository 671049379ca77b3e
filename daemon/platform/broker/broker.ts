import type { CreatedEvent } from '../../../core/messages/created-event.ts';

/** Topic exchange of all events. */
export const eventsExchange = 'wallet.events';
/** Direct exchange for requested transactions; the only one that other producers need. */
export const commandsExchange = 'wallet.commands';

/** Direct exchange that brings our own consumers the bundled keys of `eventsExchange`. */
export const bundlesExchange = 'wallet.bundles';
/** The key of bundles. One binding brings our own consumers the messages of all bundled keys. */
export const bundleKey = 'transaction.created';
/**
 * Routing keys whose messages reach our own consumers in bundles, where a broker is between. These
 * messages are in order of seq within a wallet.
 */
export const bundledKeys: ReadonlySet<string> = new Set([
  bundleKey,
  ...['hold.placed', 'hold.released'],
]);

/** The key under which our own consumers bind what listeners get under `routingKey`. */
export const ownKeyOf = (routingKey: string): string =>
  bundledKeys.has(routingKey) ? bundleKey : routingKey;

/** A message on its way out: NestJS's envelope, and where it is addressed. */
export type OutboundMessage = {
  readonly messageId: string;
  readonly routingKey: string;
  readonly body: { readonly pattern: string; readonly data: object };
  /** The body's pattern, where that is cheaper than to read it from `body`. */
  readonly pattern?: string;
  /** The body as JSON, where that is cheaper than to make it from `body`. */
  readonly text?: string;
  /** What the body says, for consumers that share the process and need no JSON. */
  readonly event?: CreatedEvent;
};

export type InboundMessage = {
  /** The property messageId; undefined where the producer set none. */
  readonly messageId: string | undefined;
  /** The parsed JSON; undefined where the body was none. */
  readonly body: unknown;
  /** The body as it came. */
  readonly text: string;
  /** The property user_id, which the broker has validated against the connection. */
  readonly userId: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  /** What the body says, where the message never left this process. */
  readonly event?: CreatedEvent | undefined;
};

/** The JSON of a message's body. */
export const textOf = (message: OutboundMessage): string =>
  message.text ?? JSON.stringify(message.body);

/** The parsed JSON of a text; undefined where it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The pattern of a message's body. */
export const patternOf = (message: OutboundMessage): string =>
  message.pattern ?? message.body.pattern;

/**
 * `held`: not now; it stays with us, and is handed over again before any later message. `dead`:
 * this message can never be handled; it must not come again.
 */
export type Handling =
  | { readonly kind: 'done' }
  | { readonly kind: 'held' }
  | { readonly kind: 'dead'; readonly reason: string; readonly field: string };

export type Consumer = {
  readonly queue: string;
  /** What fills the queue, besides what is sent to it by its name. */
  readonly bindings: readonly { readonly exchange: string; readonly routingKey: string }[];
  /** Messages in one call of `handle`, about. */
  readonly maxBatch: number;
  /**
   * One handling per message, in order, once its effects are committed. Messages that were held
   * come first, in their order, each time. Rejects where the cause is not the messages, such as an
   * unavailable database: then they are held and delivered again.
   */
  handle(messages: readonly InboundMessage[]): Promise<readonly Handling[]>;
  /** Stores dead letters for an operator to decide. Rejects as `handle` does. */
  storeDeadLetters(letters: readonly DeadLetter[]): Promise<void>;
};

/** A message that could not be handled, with the reason. */
export type DeadLetter = {
  readonly id: string;
  readonly queue: string;
  readonly messageId: string | undefined;
  readonly reason: string;
  readonly field: string | undefined;
  readonly text: string;
  /** The body as it came; undefined where `text` is all there is. */
  readonly content?: Buffer;
  /** The producer, as the broker has validated it. */
  readonly userId?: string | undefined;
  /** Identifies the delivery: the same one is not counted twice. */
  readonly deliveryId?: string | undefined;
};

/**
 * Whose queues messages are published to: those of our own consumers, or those that other programs
 * have bound to `eventsExchange`.
 */
export type Audience = 'own' | 'listeners';

/** Messaging as the services use it; its transports are local and RabbitMQ. */
export type Broker = {
  /**
   * The messages that were not confirmed, to be sent again to this audience; empty if all were. One
   * call at a time for each audience: neither waits for the other.
   */
  publish(
    messages: readonly OutboundMessage[],
    audience: Audience,
  ): Promise<readonly OutboundMessage[]>;
  start(consumers: readonly Consumer[]): Promise<void>;
  /** Takes no more messages; those in flight are finished. Publishing goes on. */
  stopConsuming(): Promise<void>;
  stop(): Promise<void>;
  /** Why messages do not flow at the moment, or undefined if they do. */
  findTrouble(): string | undefined;
};
