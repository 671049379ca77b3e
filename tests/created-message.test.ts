import fc from 'fast-check';
import { expect, it } from 'vitest';

import type { CreatedEvent } from '../core/messages/created-event.ts';
import { walletIdOf } from '../core/ids.ts';
import { formatMinor } from '../core/money.ts';
import { operations } from '../core/operations.ts';
import { readLine } from '../daemon/statement/projection/messages.ts';
import { toCreatedMessage } from '../daemon/wallet/events/messages.ts';

const minor = fc.bigInt({ min: 1n, max: 10n ** 18n - 1n });
const signedMinor = fc.oneof(
  minor,
  minor.map((value) => -value),
);
/** What the ledger can hold. */
const text = fc.string({ unit: 'binary', maxLength: 40 }).map((any) => any.replaceAll('\0', ''));
const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const uuid = fc.uuid();

const noMore = { heldAfterMinor: 0n, parentUsedMinor: 0n, groupId: undefined };

const anyEvent: fc.Arbitrary<CreatedEvent> = fc
  .record({
    id: uuid,
    userId: uuid,
    currency: fc.constantFrom({ code: 'BRL', exponent: 2 }, { code: 'JPY', exponent: 0 }),
    seq: fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }),
    operation: fc.constantFrom(...operations),
    amountMinor: fc.tuple(minor, fc.constantFrom(1n, -1n, 0n)).map(([amount, sign]) => {
      return sign * amount;
    }),
    reserved: signedMinor,
    balanceAfterMinor: fc.oneof(
      fc.constant(0n),
      minor,
      minor.map((value) => -value),
    ),
    contraAccount: fc.oneof(fc.constant('external:cash'), text),
    parentId: fc.option(uuid, { nil: undefined }),
    description: fc.option(text, { nil: undefined }),
    occurredAtMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    source: fc.constantFrom('grpc', 'message'),
    actor: text,
    metadata: fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }),
    more: fc.option(
      fc.record({
        heldMinor: fc.oneof(fc.constant(0n), signedMinor),
        heldAfterMinor: fc.oneof(fc.constant(0n), minor),
        parentUsedMinor: fc.oneof(fc.constant(0n), minor),
        groupId: fc.option(uuid, { nil: undefined }),
      }),
      { nil: undefined },
    ),
    previousHash: hash,
    hash,
  })
  .map(({ userId, currency, reserved, ...event }) => ({
    ...event,
    // What moves no money reserves or releases some.
    more: event.amountMinor === 0n ? { ...noMore, ...event.more, heldMinor: reserved } : event.more,
    wallet: {
      ...{ id: walletIdOf(userId, currency.code), userId },
      ...{ currency: currency.code, exponent: currency.exponent },
    },
  }));

const expectedMore = ({ more, wallet: { exponent } }: CreatedEvent) => {
  const amountOf = (value: bigint | undefined) =>
    value ? formatMinor(value, exponent) : undefined;
  return {
    held: amountOf(more?.heldMinor),
    heldAfter: amountOf(more?.heldAfterMinor),
    parentUsed: amountOf(more?.parentUsedMinor),
    groupId: more?.groupId,
  };
};

/** The body as docs/events.md lists its fields, by the language's own JSON. */
const expectedText = (event: CreatedEvent): string => {
  const { wallet, amountMinor, balanceAfterMinor } = event;
  const isHold = amountMinor === 0n;
  const size = isHold ? (event.more?.heldMinor ?? 0n) : amountMinor;
  const absolute = size < 0n ? -size : size;
  return JSON.stringify({
    pattern: isHold ? 'hold_changed' : 'transaction_created',
    data: {
      userId: wallet.userId,
      walletId: wallet.id,
      currency: wallet.currency,
      transaction: {
        id: event.id,
        seq: Number(event.seq),
        operation: event.operation,
        amount: formatMinor(absolute, wallet.exponent),
        direction: isHold ? 'none' : amountMinor < 0n ? 'debit' : 'credit',
        balanceAfter: formatMinor(balanceAfterMinor, wallet.exponent),
        contraAccount: event.contraAccount,
        parentId: event.parentId,
        source: event.source,
        actor: event.actor,
        description: event.description,
        metadata: Object.keys(event.metadata).length === 0 ? undefined : event.metadata,
        occurredAt: new Date(event.occurredAtMs).toISOString(),
        ...expectedMore(event),
        previousHash: event.previousHash,
        hash: event.hash,
      },
    },
  });
};

it('the routing key follows what an entry does: money moves, is reserved or is released', () => {
  let holds = 0;
  fc.assert(
    fc.property(anyEvent, (event) => {
      const { routingKey, pattern } = toCreatedMessage(event);
      if (event.amountMinor !== 0n) {
        expect([routingKey, pattern]).toEqual(['transaction.created', 'transaction_created']);
        return;
      }
      holds += 1;
      const isPlaced = (event.more?.heldMinor ?? 0n) > 0n;
      const key = isPlaced ? 'hold.placed' : 'hold.released';
      expect([routingKey, pattern]).toEqual([key, 'hold_changed']);
    }),
    { numRuns: 400 },
  );
  expect(holds).toBeGreaterThan(50);
});

it('the text of transaction_created and hold_changed equals JSON.stringify byte for byte', () => {
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
      expect('kind' in readLine(inbound)).toBe(false);
      expect(readLine({ ...inbound, event })).toEqual(readLine({ ...inbound }));
    }),
    { numRuns: 2_000 },
  );
});
