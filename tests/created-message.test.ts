import fc from 'fast-check';
import { expect, it } from 'vitest';

import type { CreatedEvent } from '../core/messages/created-event.ts';
import { walletIdOf } from '../core/ids.ts';
import { formatMinor } from '../core/money.ts';
import { operations } from '../core/operations.ts';
import { readLine } from '../daemon/statement/projection/messages.ts';
import { toCreatedMessage } from '../daemon/wallet/events/messages.ts';

const minor = fc.bigInt({ min: 1n, max: 10n ** 18n - 1n });
/** What the ledger can hold. */
const text = fc.string({ unit: 'binary', maxLength: 40 }).map((any) => any.replaceAll('\0', ''));
const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const uuid = fc.uuid();

const anyEvent: fc.Arbitrary<CreatedEvent> = fc
  .record({
    id: uuid,
    userId: uuid,
    currency: fc.constantFrom({ code: 'BRL', exponent: 2 }, { code: 'JPY', exponent: 0 }),
    seq: fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }),
    operation: fc.constantFrom(...operations),
    amountMinor: fc.tuple(minor, fc.boolean()).map(([amount, isDebit]) => {
      return isDebit ? -amount : amount;
    }),
    balanceAfterMinor: fc.oneof(fc.constant(0n), minor),
    contraAccount: fc.oneof(fc.constant('external:cash'), text),
    parentId: fc.option(uuid, { nil: undefined }),
    description: fc.option(text, { nil: undefined }),
    occurredAtMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    source: fc.constantFrom('grpc', 'message'),
    actor: text,
    metadata: fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }),
    previousHash: hash,
    hash,
  })
  .map(({ userId, currency, ...event }) => ({
    ...event,
    wallet: {
      ...{ id: walletIdOf(userId, currency.code), userId },
      ...{ currency: currency.code, exponent: currency.exponent },
    },
  }));

/** The body as docs/events.md lists its fields, by the language's own JSON. */
const expectedText = (event: CreatedEvent): string => {
  const { wallet, amountMinor, balanceAfterMinor } = event;
  const absolute = amountMinor < 0n ? -amountMinor : amountMinor;
  return JSON.stringify({
    pattern: 'transaction_created',
    data: {
      userId: wallet.userId,
      walletId: wallet.id,
      currency: wallet.currency,
      transaction: {
        id: event.id,
        seq: Number(event.seq),
        operation: event.operation,
        amount: formatMinor(absolute, wallet.exponent),
        direction: amountMinor < 0n ? 'debit' : 'credit',
        balanceAfter: formatMinor(balanceAfterMinor, wallet.exponent),
        contraAccount: event.contraAccount,
        parentId: event.parentId,
        source: event.source,
        actor: event.actor,
        description: event.description,
        metadata: Object.keys(event.metadata).length === 0 ? undefined : event.metadata,
        occurredAt: new Date(event.occurredAtMs).toISOString(),
        previousHash: event.previousHash,
        hash: event.hash,
      },
    },
  });
};

it('the text of transaction_created equals JSON.stringify byte for byte', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const message = toCreatedMessage(event);
      expect(message.text).toBe(expectedText(event));
      expect(message.body).toEqual(JSON.parse(expectedText(event)));
    }),
    { numRuns: 2_000 },
  );
});

it('a statement line is the same from an event as JSON and from one as an object', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const { messageId, body, text: json = '' } = toCreatedMessage(event);
      const inbound = { messageId, body, text: json, userId: undefined, headers: {} };
      expect(readLine({ ...inbound, event })).toEqual(readLine({ ...inbound }));
    }),
    { numRuns: 2_000 },
  );
});
