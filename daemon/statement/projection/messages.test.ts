import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { findExponent } from '../../../core/currencies.ts';
import { operations } from '../../../core/operations.ts';
import type { InboundMessage } from '../../platform/broker/broker.ts';
import { readLine } from './messages.ts';

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

/** What the database can store. */
const plainText = z.string().refine((text) => !text.includes('\0') && text.isWellFormed());

const metadata = z.record(plainText, plainText);

/**
 * What docs/events.md says of `transaction_created` and `hold_changed`, as a schema: the check by hand
 * must equal it.
 */
const createdSchema = z.object({
  pattern: z.enum(['transaction_created', 'hold_changed']),
  data: z.object({
    userId: uuid,
    walletId: uuid,
    currency: z.string().refine((code) => findExponent(code) !== undefined),
    transaction: z.object({
      id: uuid,
      seq: z.int().positive(),
      operation: z.enum(operations),
      amount: z.string(),
      direction: z.enum(['credit', 'debit', 'none']),
      balanceAfter: z.string(),
      contraAccount: plainText,
      parentId: uuid.optional(),
      source: plainText,
      actor: plainText,
      description: plainText.optional(),
      metadata: z
        .unknown()
        .refine((value) => metadata.safeParse(value).success)
        .optional(),
      occurredAt: z.iso.datetime(),
      previousHash: z.string().regex(/^[0-9a-f]{64}$/),
      hash: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  }),
});

const transaction = {
  id: '6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55',
  seq: 3,
  operation: 'reversal',
  amount: '159.99',
  direction: 'debit',
  balanceAfter: '40.01',
  contraAccount: 'external:cash',
  parentId: 'c2b1a7f4-3f60-5d22-8f35-6a0e4f1b2d90',
  source: 'grpc',
  actor: '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10',
  description: 'a note',
  metadata: { order: '4711' },
  occurredAt: '2026-11-22T18:00:00.000Z',
  previousHash: 'cd'.repeat(32),
  hash: 'ab'.repeat(32),
};
const ids = {
  userId: '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10',
  walletId: '5f0c4f8e-5a0d-5b0e-8a3f-2a4b8d1c9e77',
};
const created = {
  pattern: 'transaction_created',
  data: { ...ids, currency: 'BRL', transaction },
};

const inbound = (body: unknown): InboundMessage => ({
  ...{ messageId: 'm', body, text: '', userId: undefined, headers: {} },
});

const texts = [
  '',
  'BRL',
  'XXQ',
  'credit',
  'none',
  'hold_changed',
  'deposit',
  ids.userId.toUpperCase(),
  `${ids.userId}\n`,
  '2026-02-30T00:00:00Z',
  '2024-02-29T23:59Z',
  '2026-11-22T18:00:00+00:00',
  '2026-11-22',
  'AB'.repeat(32),
  'ab'.repeat(32),
];
const wrong = fc.oneof(
  fc.constantFrom(null, undefined, true, 0, -0, -1, 1.5, 2 ** 53, 1e308, Infinity, NaN, [], {}),
  fc.constantFrom<unknown>(...texts),
  fc.constantFrom<unknown>(created, created.data, transaction, [transaction]),
  fc.jsonValue(),
);
const names = {
  top: [...Object.keys(created), 'other'],
  data: [...Object.keys(created.data), 'other'],
  transaction: [...Object.keys(transaction), 'other'],
};
const change = (of: object, keys: string[]) =>
  fc
    .array(fc.tuple(fc.constantFrom(...keys), wrong), { maxLength: 2 })
    .map((changes) => ({ ...of, ...Object.fromEntries(changes) }));

const bodies = fc.oneof(
  wrong,
  change(created, names.top),
  change(created.data, names.data).map((data) => ({ ...created, data })),
  change(transaction, names.transaction).map((changed) => ({
    ...created,
    data: { ...created.data, transaction: changed },
  })),
);

describe('the check of transaction_created', () => {
  it('the check of transaction_created finds the same fault as the schema, or none', () => {
    let right = 0;
    fc.assert(
      fc.property(bodies, (body) => {
        const parsed = createdSchema.safeParse(body);
        const line = readLine(inbound(body));
        if (!parsed.success) {
          const field = parsed.error.issues[0]?.path.join('.');
          expect(line).toEqual({ kind: 'dead', reason: 'INVALID_ARGUMENT', field });
        } else if ('kind' in line) {
          // Amounts are read after the shape, and the direction is held against the pattern.
          expect(line.field).toMatch(/^data\.transaction\.(amount|balanceAfter|direction)$/);
        } else {
          right += 1;
          expect(line.transactionId).toBe(parsed.data.data.transaction.id);
        }
      }),
      { numRuns: 20_000 },
    );
    expect(right).toBeGreaterThan(500);
  }, 30_000);

  it('the check of transaction_created reports each missing field', () => {
    for (const name of Object.keys(transaction)) {
      const { [name as keyof typeof transaction]: _gone, ...rest } = transaction;
      const line = readLine(inbound({ ...created, data: { ...created.data, transaction: rest } }));
      const isOptional = ['parentId', 'description', 'metadata'].includes(name);
      expect('kind' in line ? line.field : 'none').toBe(
        isOptional ? 'none' : `data.transaction.${name}`,
      );
    }
  });
});

describe('the check of hold_changed', () => {
  const hold = { ...transaction, operation: 'hold', direction: 'none', held: '159.99' };
  const read = (change: object, pattern = 'hold_changed') =>
    readLine(inbound({ pattern, data: { ...created.data, transaction: { ...hold, ...change } } }));
  const fieldOf = (change: object, pattern?: string) => {
    const line = read(change, pattern);
    return 'kind' in line ? line.field : 'none';
  };

  it('a hold and a release reserve and release their amount, and move no money', () => {
    expect(read({ heldAfter: '200.00' })).toMatchObject({
      amountMinor: 0n,
      more: { heldMinor: 15_999n, heldAfterMinor: 20_000n },
    });
    // The balance and the overdraft of a wallet, each below 10^18, cover what is held.
    expect(read({ heldAfter: '19999999999999999.98' })).toMatchObject({
      more: { heldAfterMinor: 1_999_999_999_999_999_998n },
    });
    expect(read({ operation: 'release', held: '-159.99' })).toMatchObject({
      amountMinor: 0n,
      more: { heldMinor: -15_999n, heldAfterMinor: 0n },
    });
  });

  it.each([
    [{ direction: 'debit' }, undefined, 'direction'],
    [{}, 'transaction_created', 'direction'],
    [{ held: undefined }, undefined, 'held'],
    [{ held: '159.98' }, undefined, 'held'],
    [{ held: '0.00' }, undefined, 'held'],
    [{ amount: '0.00' }, undefined, 'amount'],
    [{ heldAfter: '-1.00' }, undefined, 'heldAfter'],
    [{ heldAfter: '20000000000000000.00' }, undefined, 'heldAfter'],
    [{ parentUsed: '-1.00' }, undefined, 'parentUsed'],
    [{ balanceAfter: '--1.00' }, undefined, 'balanceAfter'],
  ])('a hold with %j and the pattern %s is refused for %s', (change, pattern, field) => {
    expect(fieldOf({})).toBe('none');
    expect(fieldOf(change, pattern)).toBe(`data.transaction.${field}`);
  });

  it('a balance below zero is read on both patterns', () => {
    const below = { balanceAfter: '-0.01' };
    expect(read(below)).toMatchObject({ balanceAfterMinor: -1n });
    const credit = { ...below, direction: 'credit', held: undefined };
    expect(read(credit, 'transaction_created')).toMatchObject({ balanceAfterMinor: -1n });
  });
});
