import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';

import type { ConsumeMessage, Options } from 'amqplib';

import { isUuid, uuidV5 } from '../../../../core/ids.ts';
import { parseJson, type DeadLetter, type Handling, type InboundMessage } from '../broker.ts';
import { letterIdOf } from '../letter-id.ts';

export type Dead = Extract<Handling, { kind: 'dead' }>;

/** A message as it is dead-lettered; the same object for each attempt. */
export type DeadLettered = {
  readonly messageId: string | undefined;
  readonly userId: string | undefined;
  readonly content: Buffer;
};

const headers = {
  id: 'x-dead-letter-id',
  delivery: 'x-dead-letter-delivery',
  reason: 'x-reason',
  field: 'x-field',
  userId: 'x-producer-user-id',
} as const;

/** More than any message that can be handled has, with every character escaped. */
const maxBodyBytes = 256 * 1024;

/** A message that is dead-lettered unread, for its size alone. */
export const findSizeFault = ({ content }: ConsumeMessage): Dead | undefined =>
  content.length > maxBodyBytes
    ? { kind: 'dead', reason: 'MESSAGE_TOO_LARGE', field: 'body' }
    : undefined;

export function toInbound(message: ConsumeMessage): InboundMessage {
  const { content } = message;
  const isReadable = content.length <= maxBodyBytes && isUtf8(content);
  const text = content.toString('utf8');
  const { messageId, userId } = message.properties as { messageId?: unknown; userId?: unknown };
  return {
    messageId: typeof messageId === 'string' ? messageId : undefined,
    // JSON is UTF-8: what is not would be read as another text than was sent.
    body: isReadable ? parseJson(text) : undefined,
    text,
    userId: typeof userId === 'string' ? userId : undefined,
    headers: message.properties.headers ?? {},
  };
}

/** As whom we are connected: where a URL names no user, amqplib takes RabbitMQ's default. */
export function userIdOf(url: string): string {
  const { username } = new URL(url);
  return username === '' ? 'guest' : decodeURIComponent(username);
}

/** The same for each attempt to dead-letter a delivery. */
const deliveryIds = new WeakMap<DeadLettered, string>();

/** Properties of a dead-lettered message: its name, its producer, and the reason. */
export function toDeadLetterMessage(
  queue: string,
  message: DeadLettered,
  { reason, field }: Dead,
  ownUserId: string,
): Options.Publish {
  const { messageId, userId } = message;
  const deliveryId = deliveryIds.get(message) ?? randomUUID();
  deliveryIds.set(message, deliveryId);
  return {
    messageId: messageId ?? `unnamed ${deliveryId}`,
    // The broker checks it: headers beside it are ours.
    userId: ownUserId,
    headers: {
      ...(userId === undefined ? {} : { [headers.userId]: userId }),
      [headers.id]: letterIdOf(queue, messageId, message.content),
      [headers.delivery]: deliveryId,
      [headers.reason]: reason,
      [headers.field]: field,
    },
  };
}

/** The producer of a message: of a dead-lettered one, its original producer. */
function findProducer({ userId, headers: given }: InboundMessage, ownUserId: string) {
  if (userId !== ownUserId) return userId;
  const producer = given[headers.userId];
  // What the broker dead-lettered itself came from its producer, with nothing of ours.
  if (given[headers.reason] === undefined) return userId;
  return typeof producer === 'string' ? producer : undefined;
}

/** The letter that a message in a `.dead` queue is. */
export function toLetter(queue: string, message: ConsumeMessage, ownUserId: string): DeadLetter {
  const { content } = message;
  const inbound = toInbound(message);
  // A producer may set any header: only what looks like ours is taken for ours.
  const ours = uuidOf(inbound.headers[headers.id]);
  const isUnnamed = ours !== undefined && inbound.messageId?.startsWith('unnamed ') === true;
  const messageId = isUnnamed ? undefined : inbound.messageId;
  const brokers = inbound.headers['x-first-death-reason'];
  const reason = inbound.headers[headers.reason] ?? brokers ?? 'UNKNOWN';
  const field = inbound.headers[headers.field];
  const id = (isUnnamed ? ours : undefined) ?? letterIdOf(queue, messageId, content);
  return {
    id,
    queue,
    messageId,
    reason: typeof reason === 'string' ? reason.toUpperCase() : 'UNKNOWN',
    field: typeof field === 'string' && field !== '' ? field : undefined,
    text: inbound.text,
    content,
    userId: findProducer(inbound, ownUserId),
    deliveryId: uuidOf(inbound.headers[headers.delivery]) ?? unnamedDelivery(id, message),
  };
}

/**
 * Of messages that others dead-lettered: one that comes again after a lost connection is counted
 * once more at most.
 */
const unnamedDelivery = (letterId: string, { fields }: ConsumeMessage): string =>
  fields.redelivered ? uuidV5(letterId, 'redelivered') : randomUUID();

const uuidOf = (value: unknown): string | undefined =>
  typeof value === 'string' && isUuid(value) ? value : undefined;
