/** A message on its way out: NestJS's envelope, and where it is addressed. */
export type OutboundMessage = {
  readonly messageId: string;
  readonly routingKey: string;
  readonly body: { readonly pattern: string; readonly data: object };
};

export type InboundMessage = {
  readonly messageId: string | undefined;
  /** The parsed JSON; undefined where the body was none. */
  readonly body: unknown;
  /** The broker-validated AMQP property user_id. */
  readonly userId: string | undefined;
};

/** `dead`: this message can never be handled; it must not come again. */
export type Handling =
  | { readonly kind: 'done' }
  | { readonly kind: 'dead'; readonly reason: string; readonly field: string };

export type Consumer = {
  readonly queue: string;
  /** Routing keys of `wallet.events` that fill the queue. */
  readonly routingKeys: readonly string[];
  readonly maxBatch: number;
  /**
   * One handling per message, in order, once its effects are committed. Rejects where the trouble
   * is not the messages' (database away): then they are held and come again.
   */
  handle(messages: readonly InboundMessage[]): Promise<readonly Handling[]>;
};

/** What the services know of messaging; the transports behind it are local and RabbitMQ. */
export type Broker = {
  /** The messages that were not confirmed, to be sent again; empty if all were. */
  publish(messages: readonly OutboundMessage[]): Promise<readonly OutboundMessage[]>;
  start(consumers: readonly Consumer[]): Promise<void>;
  stop(): Promise<void>;
};
