import fc from 'fast-check';
import { expect, it } from 'vitest';
import { z } from 'zod';

import { isUuid } from '../../../core/ids.ts';
import type { InboundMessage } from '../../platform/broker/broker.ts';
import { readEmitted } from './messages.ts';

/** In any letter case, and with white space around it. */
const isWrittenUuid = (text: string): boolean => isUuid(text.trim().toLowerCase());

/** RFC 3339 with an offset, and a day that there is. */
const isWrittenTime = (text: string): boolean =>
  z.iso.datetime({ offset: true }).safeParse(text.toUpperCase()).success;

/** The shape that docs/events.md gives `transaction_emitted`: the check by hand must equal it. */
const emittedSchema = z.object({
  pattern: z.literal('transaction_emitted'),
  data: z.object({
    userId: z.string().refine(isWrittenUuid),
    messageId: z.string().optional(),
    transaction: z.object({
      id: z.string().refine(isWrittenUuid).nullish(),
      amount: z.union([z.string(), z.number()]).nullish(),
      operation: z.union([z.string(), z.int()]),
      currency: z.string().nullish(),
      description: z.string().nullish(),
      merchant: z.string().nullish(),
      toUserId: z.string().refine(isWrittenUuid).nullish(),
      via: z.string().nullish(),
      expiresAt: z.string().refine(isWrittenTime).nullish(),
      expiresInSeconds: z.int().nullish(),
      keepRest: z.boolean().nullish(),
      reference: z.string().nullish(),
      metadata: z.record(z.string(), z.string()).nullish(),
    }),
  }),
});

const userId = '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10';
const transaction = {
  id: 'c2b1a7f4-3f60-5d22-8f35-6a0e4f1b2d90',
  amount: '12.50',
  operation: 'deposit',
  currency: 'BRL',
  description: 'a note',
  merchant: 'Bookshop',
  toUserId: null,
  via: 'itau',
  expiresAt: '2026-11-22T18:00:00-03:00',
  expiresInSeconds: null,
  keepRest: false,
  reference: 'NF-7',
  metadata: { order: '4711' },
};
const emitted = {
  pattern: 'transaction_emitted',
  data: { userId, messageId: 'm1', transaction },
};

const wrong = fc.oneof(
  fc.constantFrom(null, undefined, true, 0, 4, -1, 1.5, 2 ** 53, 1e308, Infinity, NaN, [], {}),
  fc.constantFrom<unknown>('', 'EUR', 'withdraw', userId.toUpperCase(), `${userId} `, '1e3'),
  fc.constantFrom<unknown>(emitted, emitted.data, transaction, [transaction]),
  fc.jsonValue(),
);
const change = <Value extends object>(of: Value) =>
  fc
    .array(fc.tuple(fc.constantFrom(...Object.keys(of), 'other'), wrong), { maxLength: 2 })
    .map((changes) => ({ ...of, ...Object.fromEntries(changes) }));

const bodies = fc.oneof(
  wrong.filter((body) => body !== undefined),
  change(emitted),
  change(emitted.data).map((data) => ({ ...emitted, data })),
  change(transaction).map((changed) => ({
    ...emitted,
    data: { ...emitted.data, transaction: changed },
  })),
);

const inbound = (body: unknown): InboundMessage => ({
  ...{ messageId: 'm', body, text: '', userId: undefined, headers: {} },
});

it('the check of transaction_emitted finds the same fault as the schema, or none', () => {
  let right = 0;
  fc.assert(
    fc.property(bodies, (body) => {
      const parsed = emittedSchema.safeParse(body);
      const request = readEmitted(inbound(body), 'BRL');
      if (!parsed.success) {
        const field = parsed.error.issues[0]?.path.slice(0, 3).join('.');
        const reason = field === 'pattern' ? 'UNKNOWN_PATTERN' : 'INVALID_FIELD';
        expect(request).toEqual({ kind: 'dead', reason, field: field === '' ? 'body' : field });
      } else if ('kind' in request) {
        // What the fields mean is looked at after their shape.
        expect(request.field).toMatch(
          /^data\.transaction\.(amount|operation|currency|reference|toUserId)$/,
        );
      } else {
        right += 1;
        expect(request.userId).toBe(parsed.data.data.userId.trim().toLowerCase());
      }
    }),
    { numRuns: 20_000 },
  );
  expect(right).toBeGreaterThan(500);
});

it('ids of transaction_emitted in upper case are read as the same ids in lower case', () => {
  const asked = (change: (id: string) => string) => ({
    ...emitted,
    data: {
      ...{ userId: change(userId), messageId: 'm1' },
      transaction: { operation: 'reversal', id: change(transaction.id) },
    },
  });
  const [lower, upper] = [asked((id) => id), asked((id) => id.toUpperCase())];
  expect(readEmitted(inbound(lower), 'BRL')).toMatchObject({ userId, parentId: transaction.id });
  expect(readEmitted(inbound(upper), 'BRL')).toEqual(readEmitted(inbound(lower), 'BRL'));
});

it('a message id whose bytes are not UTF-8 is refused', () => {
  const message = { ...inbound(emitted), messageId: 'order \ufffd' };
  expect(readEmitted(message, 'BRL')).toMatchObject({
    reason: 'INVALID_FIELD',
    field: 'messageId',
  });
});

it('a recipient of an undo, and a reference that contradicts the metadata, are refused', () => {
  const asked = (transaction: object) =>
    readEmitted(inbound({ ...emitted, data: { userId, transaction } }), 'BRL');
  const undo = { operation: 'reversal', id: transaction.id };
  expect(asked({ ...undo, toUserId: null })).toMatchObject({ operation: 'reversal' });
  expect(asked({ ...undo, toUserId: userId })).toMatchObject({
    field: 'data.transaction.toUserId',
  });
  const deposit = { operation: 'deposit', amount: '1', reference: 'NF-7' };
  expect(asked({ ...deposit, metadata: { a: '1' } })).toMatchObject({
    metadata: { a: '1', reference: 'NF-7' },
  });
  for (const wrong of [{ metadata: { reference: 'NF-8' } }, { reference: ' ' }]) {
    expect(asked({ ...deposit, ...wrong })).toMatchObject({ field: 'data.transaction.reference' });
  }
});

it('a part of a parent is read in the currency of the message, and needs one', () => {
  const asked = (transaction: object) =>
    readEmitted(inbound({ ...emitted, data: { userId, transaction } }), 'BRL');
  const undo = { operation: 'cancellation', id: transaction.id, amount: '40' };
  expect(asked({ ...undo, currency: 'JPY' })).toMatchObject({ amountMinor: 40n, currency: 'JPY' });
  expect(asked(undo)).toMatchObject({ reason: 'CURRENCY_REQUIRED' });
});

it('a number never names an operation above the five', () => {
  const asked = (operation: unknown) =>
    readEmitted(
      inbound({ ...emitted, data: { userId, transaction: { operation, id: userId } } }),
      'BRL',
    );
  expect(asked(4)).toMatchObject({ operation: 'cancellation' });
  for (const number of [5, 6, -1]) {
    expect(asked(number)).toMatchObject({ field: 'data.transaction.operation' });
  }
  expect(asked('transfer')).toMatchObject({ operation: 'transfer' });
});
