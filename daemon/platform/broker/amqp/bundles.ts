import { uuidV5 } from '../../../../core/ids.ts';
import { textOf, type InboundMessage, type OutboundMessage } from '../broker.ts';
import type { Dead } from './letters.ts';

/** The pattern of a bundle: `{ "pattern": "transactions_created", "data": { "events": [...] } }`. */
const bundlePattern = 'transactions_created';

/** Namespace of the ids of messages that came in a bundle: a fixed random UUID. */
const partNamespace = '0f4d6f0b-7f0a-4f0e-8a36-0d9c5a2f6c11';

export type BundleLimits = {
  /** 1: nothing is bundled. */
  readonly events: number;
  /** Of the events' JSON; a larger event is a message of its own. */
  readonly bytes: number;
};

/** Well below what a consumer reads of one message (256 KiB). */
export const bundleLimits: BundleLimits = { events: 250, bytes: 160 * 1024 };

/** Nothing is bundled. */
export const singleLimits: BundleLimits = { ...bundleLimits, events: 1 };

/** More events are no bundle of ours: each unreadable event becomes a dead letter. */
const maxReadEvents = bundleLimits.events;

export type Bundle = {
  readonly messages: readonly OutboundMessage[];
  readonly pattern: string;
  readonly text: string;
};

/** Puts messages into as few bundles as the limits allow, in their order. */
export function toBundles(
  messages: readonly OutboundMessage[],
  limits: BundleLimits = bundleLimits,
): readonly Bundle[] {
  const bundles: Bundle[] = [];
  let texts: string[] = [];
  let bytes = 0;
  let first = 0;
  const close = (end: number): void => {
    if (texts.length === 0) return;
    const members = messages.slice(first, end);
    bundles.push({ messages: members, ...toBody(members, texts) });
    texts = [];
    bytes = 0;
    first = end;
  };
  for (const [i, message] of messages.entries()) {
    const text = textOf(message);
    const size = Buffer.byteLength(text);
    if (texts.length === limits.events || bytes + size > limits.bytes) close(i);
    texts.push(text);
    bytes += size;
  }
  close(messages.length);
  return bundles;
}

/** A single message stays as it is: every version understands it. */
function toBody(
  messages: readonly OutboundMessage[],
  texts: readonly string[],
): { readonly pattern: string; readonly text: string } {
  const [only] = messages;
  if (only && messages.length === 1) {
    return { pattern: only.pattern ?? only.body.pattern, text: texts[0] ?? '' };
  }
  const text = `{"pattern":"${bundlePattern}","data":{"events":[${texts.join(',')}]}}`;
  return { pattern: bundlePattern, text };
}

const poison = (field: string): Dead => ({ kind: 'dead', reason: 'INVALID_ARGUMENT', field });

/**
 * The messages that a bundle holds, in their order; undefined for a message that is none. A bundle
 * without readable events can never be handled.
 */
export function readBundle(message: InboundMessage): readonly InboundMessage[] | Dead | undefined {
  const { body } = message;
  if (typeof body !== 'object' || body === null) return undefined;
  const { pattern, data } = body as { readonly pattern?: unknown; readonly data?: unknown };
  if (pattern !== bundlePattern) return undefined;
  if (typeof data !== 'object' || data === null) return poison('data');
  const { events } = data as { readonly events?: unknown };
  const isList = Array.isArray(events) && events.length > 0 && events.length <= maxReadEvents;
  if (!isList) return poison('data.events');
  return events.map((event: unknown) => new BundledMessage(event, message.userId));
}

const noHeaders = {};

/**
 * Its text and id are made when they are asked for, which only a dead letter does. The id follows
 * from the text, so that the same event is the same dead letter, whichever bundle brought it.
 */
class BundledMessage implements InboundMessage {
  readonly body: unknown;
  readonly userId: string | undefined;
  readonly headers = noHeaders;
  constructor(body: unknown, userId: string | undefined) {
    this.body = body;
    this.userId = userId;
  }
  get text(): string {
    return JSON.stringify(this.body);
  }
  get messageId(): string {
    return uuidV5(partNamespace, this.text);
  }
}
