import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import {
  BatchCreateTransactionsRequest,
  Operation,
  type BatchCreateTransactionsResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { ServiceCall } from '../http/route.ts';
import { countBytes, createInParts, type Item } from './transaction-batch.ts';

const text = (maxLength: number) => fc.string({ unit: 'binary', maxLength });
const anyItem: fc.Arbitrary<Item> = fc.record({
  userId: fc.uuid(),
  currency: fc.constantFrom('BRL', ''),
  operation: fc.constantFrom(Operation.DEPOSIT, Operation.CANCELLATION),
  amountMinor: fc.option(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), { nil: undefined }),
  parentId: fc.option(fc.uuid(), { nil: undefined }),
  description: fc.option(text(255), { nil: undefined }),
  merchant: fc.option(text(255), { nil: undefined }),
  toUserId: fc.option(fc.uuid(), { nil: undefined }),
  via: fc.option(text(40), { nil: undefined }),
  reference: fc.option(text(256), { nil: undefined }),
  metadata: fc.dictionary(text(256), text(256), { maxKeys: 5 }),
  force: fc.option(fc.boolean(), { nil: undefined }),
  groupId: fc.option(fc.uuid(), { nil: undefined }),
  idempotencyKey: text(255),
});

describe('batches in parts', () => {
  it('an item has no more bytes in a message than were counted', () => {
    fc.assert(
      fc.property(anyItem, (item) => {
        const request = BatchCreateTransactionsRequest.fromPartial({ items: [item] });
        const { length } = BatchCreateTransactionsRequest.encode(request).finish();
        expect(countBytes(item)).toBeGreaterThanOrEqual(length);
      }),
    );
  });

  const items = Array.from({ length: 900 }, (_item, i): Item => ({
    userId: '',
    currency: 'BRL',
    operation: Operation.DEPOSIT,
    amountMinor: 1n,
    parentId: undefined,
    description: 'x'.repeat(600),
    merchant: undefined,
    metadata: {},
    idempotencyKey: `key ${i}`,
  }));

  /** A wallet service that refuses its nth call; it names the keys that it did. */
  function createService(refusedCall: number) {
    const calls: { readonly keys: readonly string[]; readonly bytes: number }[] = [];
    const call = ((_service, _method, message) => {
      const request = message as BatchCreateTransactionsRequest;
      const { length: bytes } = BatchCreateTransactionsRequest.encode(request).finish();
      const keys = request.items.map(({ idempotencyKey }) => idempotencyKey);
      calls.push({ keys, bytes });
      const response = { results: keys.map((key) => ({ key })) };
      const answer: Result<BatchCreateTransactionsResponse> =
        calls.length === refusedCall
          ? refuse('WALLET_UNAVAILABLE', 'it is down')
          : succeed(response as unknown as BatchCreateTransactionsResponse);
      return Promise.resolve(answer.ok ? answer : { ok: false, fault: answer.rejection });
    }) as ServiceCall;
    return { call, calls };
  }

  it('messages of at most 256 KiB have all items in order', async () => {
    const { call, calls } = createService(0);
    const made = await createInParts(call, items, false);
    expect(calls.length).toBeGreaterThan(1);
    expect(Math.max(...calls.map(({ bytes }) => bytes))).toBeLessThan(256 * 1024);
    const keys = items.map(({ idempotencyKey }) => idempotencyKey);
    expect(calls.flatMap((each) => each.keys)).toEqual(keys);
    const found = made.ok ? made.value : [];
    expect(found.map((each) => each.ok && (each.value as unknown as { key: string }).key)).toEqual(
      keys,
    );
  });

  it('after a part that is refused no other is sent, and its refusal is that of the rest', async () => {
    const { call, calls } = createService(2);
    const made = await createInParts(call, items, false);
    expect(calls).toHaveLength(2);
    const done = calls[0]?.keys.length ?? 0;
    const found = made.ok ? made.value : [];
    expect(found).toHaveLength(items.length);
    expect(found.slice(0, done).every(({ ok }) => ok)).toBe(true);
    expect(found.slice(done).every(({ ok }) => !ok)).toBe(true);
  });

  it('a batch whose first part is refused is refused whole', async () => {
    const { call } = createService(1);
    expect(await createInParts(call, items, false)).toMatchObject({
      ok: false,
      fault: { reason: 'WALLET_UNAVAILABLE' },
    });
  });
});
