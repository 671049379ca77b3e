import { z } from 'zod';

import { findExponent } from '../../../core/currencies.ts';
import { readAmount } from '../../../core/money.ts';
import { operations, type Operation } from '../../../core/operations.ts';
import { textLimits } from '../../../core/text.ts';
import { parseInstant } from '../../../core/time/calendar.ts';
import { fault, found, type Found } from './problems.ts';

/** Fields that several routes take or answer with, as the OpenAPI document describes them. */

export const uuid = z
  .string()
  .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be a UUID')
  .meta({ format: 'uuid', example: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11' });

export const currency = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be a code of ISO 4217 in capitals, like BRL')
  .meta({ description: 'ISO 4217, in capitals', example: 'BRL' });

export const amount = z.union([z.string().max(40), z.number()]).meta({
  description:
    'A decimal string (recommended), or a number of at most 15 digits. More decimals than the ' +
    'currency has are refused.',
  example: '100.00',
});

export const money = z.string().meta({
  description: 'A decimal string with all decimals of the currency',
  example: '100.00',
});

const operationNames = operations as readonly [Operation, ...Operation[]];
export const operation = z.enum(operationNames).meta({ example: 'deposit' });

export const time = z.string().meta({
  format: 'date-time',
  description: 'RFC 3339',
  example: '2026-11-22T21:42:10.123Z',
});

/** A user of a query or body: empty or absent for the caller. */
export const user = z.string().max(254).optional().meta({
  description: 'Staff: the id of a user. Customers leave it out.',
});

export const description = z.string().max(textLimits.description).optional();

export const idempotencyKey = z.string().min(1).max(textLimits.idempotencyKey).meta({
  description: 'Identifies the transaction within its wallet; never expires.',
});

/** How much of a list: a page, and where it begins. */
export const page = {
  limit: z.coerce
    .number('must be a whole number from 1 to 500')
    .int()
    .min(1, 'must be at least 1')
    .max(500, 'must be at most 500')
    .optional()
    .meta({ description: 'Items of a page, at most 500; default 50' }),
  pageToken: z.string().max(2_000).optional().meta({
    description: '`nextPageToken` of the page before',
  }),
} as const;

/** What a list answers with. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    nextPageToken: z.string().optional().meta({ description: 'Absent on the last page' }),
  });

/** Minor units, where the currency is known. */
export function amountOf(
  value: string | number | undefined,
  ofCurrency: string,
  field = 'amount',
): Found<bigint | undefined> {
  if (value === undefined) return found(undefined);
  const exponent = findExponent(ofCurrency);
  if (exponent === undefined) {
    const message = `${JSON.stringify(ofCurrency)} is not a currency of ISO 4217 with minor units`;
    return { ok: false, fault: fault('CURRENCY_UNKNOWN', message, { field: 'currency' }) };
  }
  const parsed = readAmount(value, exponent);
  if (parsed.ok) return found(parsed.minor);
  const message = `${JSON.stringify(value)} is not a valid amount: ${parsed.problem}`;
  return { ok: false, fault: fault('AMOUNT_INVALID', message, { field }) };
}

/** An RFC 3339 time with an offset. */
export function timeOf(text: string | undefined, field: string): Found<Date | undefined> {
  if (text === undefined) return found(undefined);
  const instantMs = parseInstant(text);
  if (instantMs !== undefined) return found(new Date(instantMs));
  const message = `${field} must be a time of RFC 3339 with an offset, like 2026-11-22T18:00:00-03:00`;
  return { ok: false, fault: fault('INVALID_ARGUMENT', message, { field }) };
}
