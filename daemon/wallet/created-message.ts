import type { CreatedEvent } from '../../core/created-event.ts';
import { uuidV5 } from '../../core/ids.ts';
import { absoluteMinor, formatMinor } from '../../core/money.ts';
import type { OutboundMessage } from '../platform/broker.ts';

const pattern = 'transaction_created';

/**
 * `transaction_created`, as docs/events.md describes it. The message's id follows from the
 * transaction and its wallet, so that a listener can recognise a redelivery. Each part is made
 * when it is asked for: a consumer in this process needs none of them.
 */
export function toCreatedMessage(event: CreatedEvent): OutboundMessage {
  return {
    event,
    routingKey: 'transaction.created',
    get messageId() {
      return uuidV5(event.wallet.id, `created:${event.id}`);
    },
    get text() {
      return toText(event);
    },
    body: {
      pattern,
      get data() {
        return (JSON.parse(toText(event)) as { data: object }).data;
      },
    },
  };
}

/** What JSON.stringify would make of it, written out: ids and codes need no escapes. */
function toText(event: CreatedEvent): string {
  const { wallet, amountMinor, contraAccount, parentId, description } = event;
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
    (description === undefined ? '' : `"description":${JSON.stringify(description)},`) +
    `"occurredAt":"${toTime(event.occurredAtMs)}","hash":"${event.hash}"}}}`
  );
}

let lastTime = { ms: NaN, text: '' };

/** Entries of one commit share their time. */
function toTime(ms: number): string {
  if (ms !== lastTime.ms) lastTime = { ms, text: new Date(ms).toISOString() };
  return lastTime.text;
}
