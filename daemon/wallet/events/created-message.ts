import type { CreatedEvent } from '../../../core/messages/created-event.ts';
import { uuidV5 } from '../../../core/ids.ts';
import { absoluteMinor, formatMinor } from '../../../core/money.ts';
import type { OutboundMessage } from '../../platform/broker/broker.ts';

const pattern = 'transaction_created';

/**
 * `transaction_created`, as docs/events.md describes it. The message's id follows from the
 * transaction and its wallet, so that a listener can recognise a redelivery. Each part is made
 * when it is asked for: a consumer in this process needs none of them.
 */
export function toCreatedMessage(event: CreatedEvent): OutboundMessage {
  return new CreatedMessage(event);
}

/**
 * A class for its getters: those of an object literal are made anew for each, a kilobyte in all.
 */
class CreatedMessage implements OutboundMessage {
  readonly event: CreatedEvent;
  constructor(event: CreatedEvent) {
    this.event = event;
  }
  get routingKey(): string {
    return 'transaction.created';
  }
  get messageId(): string {
    return uuidV5(this.event.wallet.id, `created:${this.event.id}`);
  }
  get pattern(): string {
    return pattern;
  }
  get text(): string {
    return toText(this.event);
  }
  get body(): OutboundMessage['body'] {
    return { pattern, data: (JSON.parse(this.text) as { data: object }).data };
  }
}

/** What JSON.stringify would make of it, written out: ids and codes need no escapes. */
function toText(event: CreatedEvent): string {
  const { wallet, amountMinor, contraAccount, parentId, description, metadata } = event;
  const direction = amountMinor < 0n ? 'debit' : 'credit';
  return (
    `{"pattern":"${pattern}","data":{"userId":"${wallet.userId}","walletId":"${wallet.id}",` +
    `"currency":"${wallet.currency}","transaction":{"id":"${event.id}","seq":${event.seq},` +
    `"operation":"${event.operation}",` +
    `"amount":"${formatMinor(absoluteMinor(amountMinor), wallet.exponent)}",` +
    `"direction":"${direction}",` +
    `"balanceAfter":"${formatMinor(event.balanceAfterMinor, wallet.exponent)}",` +
    `"contraAccount":${JSON.stringify(contraAccount)},` +
    (parentId === undefined ? '' : `"parentId":"${parentId}",`) +
    `"source":"${event.source}","actor":${JSON.stringify(event.actor)},` +
    (description === undefined ? '' : `"description":${JSON.stringify(description)},`) +
    (isEmpty(metadata) ? '' : `"metadata":${JSON.stringify(metadata)},`) +
    `"occurredAt":"${toTime(event.occurredAtMs)}",` +
    `"previousHash":"${event.previousHash}","hash":"${event.hash}"}}}`
  );
}

function isEmpty(metadata: CreatedEvent['metadata']): boolean {
  for (const _key in metadata) return false;
  return true;
}

let lastTime = { ms: NaN, text: '' };

/** Entries of one commit share their time. */
function toTime(ms: number): string {
  if (ms !== lastTime.ms) lastTime = { ms, text: new Date(ms).toISOString() };
  return lastTime.text;
}
