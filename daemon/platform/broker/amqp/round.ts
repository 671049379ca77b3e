import { randomUUID } from 'node:crypto';

import type { Options } from 'amqplib';

import {
  bundleKey,
  bundledKeys,
  bundlesExchange,
  eventsExchange,
  patternOf,
  textOf,
  type OutboundMessage,
} from '../broker.ts';
import { toBundles, type Bundle, type BundleLimits } from './bundles.ts';

export type Outgoing = {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly options: Options.Publish & { readonly messageId: string };
};
/** `returned`: confirmed, and in no queue. */
export type Answer = 'confirmed' | 'returned' | 'refused';

/** What is published at once, and the messages that it carries. */
export type Sending = {
  /** Made when it is sent. */
  readonly make: () => Outgoing;
  readonly carries: readonly OutboundMessage[];
  /** A queue of ours is for it: one that reaches none is sent again. */
  readonly isNeeded: boolean;
  /** Shows whether a queue is bound for its key. */
  readonly isProbe: boolean;
};

/** These reach a queue of ours as they are: if they reach none, that is a failure. */
const neededKeys: ReadonlySet<string> = new Set(['statement.requested']);

/** What is published of a round for our own queues: bundles, and single messages of needed keys. */
export function planOwn(
  messages: readonly OutboundMessage[],
  limits?: BundleLimits,
): readonly Sending[] {
  const bundled = messages.filter(({ routingKey }) => bundledKeys.has(routingKey));
  const singles = messages.filter(({ routingKey }) => neededKeys.has(routingKey));
  return [
    ...toBundles(bundled, limits).map(toBundleSending),
    ...singles.map((message) => toSending(message, { isNeeded: true, isProbe: false })),
  ];
}

/**
 * Plans what is published of rounds for listeners: single messages. No listener may be there: then
 * publishing costs more than anything else. So the first message of each key is `mandatory`, and if
 * it reaches no queue, the others of the round are not published. `bound` keeps what is known of
 * keys from round to round.
 *
 * Messages of the bundled keys are in one order. Where a round has several of these keys, one that
 * nothing is known of counts as bound: otherwise its first message would overtake others.
 */
export function createListenerRounds() {
  const bound = new Map<string, boolean>();
  return {
    /** `later` is for once `now` is answered. */
    plan: (messages: readonly OutboundMessage[]) => {
      const now: Sending[] = [];
      const later: Sending[] = [];
      const probed = new Set<string>();
      const areMixed = hasSeveralOrdered(messages);
      for (const message of messages) {
        const { routingKey } = message;
        if (neededKeys.has(routingKey)) continue;
        const isProbe = !probed.has(routingKey);
        const sending = toSending(message, { isNeeded: false, isProbe });
        probed.add(routingKey);
        const isBound = bound.get(routingKey) ?? (areMixed && bundledKeys.has(routingKey));
        if (isProbe || isBound) now.push(sending);
        else later.push(sending);
      }
      const listLater = (): readonly Sending[] =>
        later.filter(({ carries: [message] }) => message && bound.get(message.routingKey));
      return { now, listLater };
    },
    note: ({ isProbe, carries: [message] }: Sending, answer: Answer): void => {
      if (!isProbe || !message) return;
      // A queue that refuses is one.
      bound.set(message.routingKey, answer !== 'returned');
    },
  };
}

function hasSeveralOrdered(messages: readonly OutboundMessage[]): boolean {
  let first: string | undefined;
  for (const { routingKey } of messages) {
    if (!bundledKeys.has(routingKey)) continue;
    first ??= routingKey;
    if (routingKey !== first) return true;
  }
  return false;
}

type Purpose = Pick<Sending, 'isNeeded' | 'isProbe'>;

const toSending = (message: OutboundMessage, purpose: Purpose): Sending => ({
  ...purpose,
  carries: [message],
  make: () => ({
    exchange: eventsExchange,
    routingKey: message.routingKey,
    body: Buffer.from(textOf(message)),
    options: {
      messageId: message.messageId,
      contentType: 'application/json',
      type: patternOf(message),
      mandatory: purpose.isNeeded || purpose.isProbe,
    },
  }),
});

function toBundleSending({ messages, pattern, text }: Bundle): Sending {
  const [first] = messages;
  if (!first) throw new Error('an empty bundle');
  return {
    isNeeded: true,
    isProbe: false,
    carries: messages,
    make: () => ({
      exchange: bundlesExchange,
      routingKey: bundleKey,
      body: Buffer.from(text),
      options: {
        messageId: messages.length === 1 ? first.messageId : randomUUID(),
        contentType: 'application/json',
        type: pattern,
        mandatory: true,
      },
    }),
  };
}
