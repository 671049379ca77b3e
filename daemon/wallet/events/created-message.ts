import { toMoreColumns, type ChainedMore } from '../../../core/chain.ts';
import type { CreatedEvent } from '../../../core/messages/created-event.ts';
import { uuidV5 } from '../../../core/ids.ts';
import { absoluteMinor, formatMinor } from '../../../core/money.ts';
import type { OutboundMessage } from '../../platform/broker/broker.ts';

const createdPattern = 'transaction_created';
const holdPattern = 'hold_changed';

/**
 * `transaction_created`, or `hold_changed` where no money moved, as docs/events.md describes them.
 * The message's id follows from the transaction and its wallet, so that a listener can recognise a
 * redelivery. Each part is made when it is asked for: a consumer in this process needs none of
 * them.
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
    if (this.event.amountMinor !== 0n) return 'transaction.created';
    return heldOf(this.event) > 0n ? 'hold.placed' : 'hold.released';
  }
  get messageId(): string {
    return uuidV5(this.event.wallet.id, `created:${this.event.id}`);
  }
  get pattern(): string {
    return patternOf(this.event);
  }
  get text(): string {
    return toText(this.event);
  }
  get body(): OutboundMessage['body'] {
    return { pattern: this.pattern, data: (JSON.parse(this.text) as { data: object }).data };
  }
}

const heldOf = ({ more }: CreatedEvent): bigint => more?.heldMinor ?? 0n;

const patternOf = ({ amountMinor }: CreatedEvent): string =>
  amountMinor === 0n ? holdPattern : createdPattern;

/** What JSON.stringify would make of it, written out: ids and codes need no escapes. */
function toText(event: CreatedEvent): string {
  const { wallet, amountMinor, contraAccount, parentId, description, metadata } = event;
  const moved = amountMinor === 0n ? heldOf(event) : amountMinor;
  return (
    `{"pattern":"${patternOf(event)}","data":{` +
    `"userId":"${wallet.userId}","walletId":"${wallet.id}",` +
    `"currency":"${wallet.currency}","transaction":{"id":"${event.id}","seq":${event.seq},` +
    `"operation":"${event.operation}",` +
    `"amount":"${formatMinor(absoluteMinor(moved), wallet.exponent)}",` +
    `"direction":"${directionOf(amountMinor)}",` +
    `"balanceAfter":"${formatMinor(event.balanceAfterMinor, wallet.exponent)}",` +
    `"contraAccount":${JSON.stringify(contraAccount)},` +
    (parentId === undefined ? '' : `"parentId":"${parentId}",`) +
    `"source":"${event.source}","actor":${JSON.stringify(event.actor)},` +
    (description === undefined ? '' : `"description":${JSON.stringify(description)},`) +
    (isEmpty(metadata) ? '' : `"metadata":${JSON.stringify(metadata)},`) +
    `"occurredAt":"${toTime(event.occurredAtMs)}",` +
    (event.more === undefined ? '' : moreText(event.more, wallet.exponent)) +
    `"previousHash":"${event.previousHash}","hash":"${event.hash}"}}}`
  );
}

const directionOf = (amountMinor: bigint): string =>
  amountMinor === 0n ? 'none' : amountMinor < 0n ? 'debit' : 'credit';

/** What is 0 or absent is left out. */
function moreText(more: ChainedMore, exponent: number): string {
  const { held, heldAfter, parentUsed, groupId } = toMoreColumns(more);
  let text = '';
  for (const [name, minor] of Object.entries({ held, heldAfter, parentUsed })) {
    if (minor !== undefined) text += `"${name}":"${formatMinor(minor, exponent)}",`;
  }
  return groupId === undefined ? text : `${text}"groupId":"${groupId}",`;
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
