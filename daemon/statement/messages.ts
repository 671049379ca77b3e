import { z } from 'zod';

import { findExponent } from '../../core/currencies.ts';
import { uuidV5 } from '../../core/ids.ts';
import { parseAmount } from '../../core/money.ts';
import { operations } from '../../core/operations.ts';
import type { Handling, InboundMessage, OutboundMessage } from '../platform/broker.ts';
import type { Line } from './domain.ts';

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

/** `transaction_created`, as the wallet service sends it (docs/events.md). */
const createdSchema = z.object({
  pattern: z.literal('transaction_created'),
  data: z.object({
    userId: uuid,
    walletId: uuid,
    currency: z.string().refine((code) => findExponent(code) !== undefined),
    transaction: z.object({
      id: uuid,
      seq: z.int().positive(),
      operation: z.enum(operations),
      amount: z.string(),
      direction: z.enum(['credit', 'debit']),
      balanceAfter: z.string(),
      contraAccount: z.string(),
      parentId: uuid.optional(),
      description: z.string().optional(),
      occurredAt: z.iso.datetime(),
      hash: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  }),
});

type Poison = Extract<Handling, { kind: 'dead' }>;

/** The statement line that a message brings, or why it never can. */
export function readLine(message: InboundMessage): Line | Poison {
  const parsed = createdSchema.safeParse(message.body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return poison(issue?.path.join('.') ?? 'body');
  }
  const { userId, walletId, currency, transaction } = parsed.data.data;
  const exponent = findExponent(currency) ?? 0;
  const amount = parseAmount(transaction.amount, exponent);
  if (!amount.ok) return poison('data.transaction.amount');
  const balance =
    /^0(\.0+)?$/.test(transaction.balanceAfter) || parseAmount(transaction.balanceAfter, exponent);
  if (balance !== true && !balance.ok) return poison('data.transaction.balanceAfter');
  return {
    walletId,
    userId,
    currency,
    seq: BigInt(transaction.seq),
    transactionId: transaction.id,
    operation: transaction.operation,
    amountMinor: transaction.direction === 'debit' ? -amount.minor : amount.minor,
    balanceAfterMinor: balance === true ? 0n : balance.minor,
    contraAccount: transaction.contraAccount,
    parentId: transaction.parentId,
    description: transaction.description,
    occurredAtMs: Date.parse(transaction.occurredAt),
    hash: Buffer.from(transaction.hash, 'hex'),
  };
}

const poison = (field: string): Poison => ({ kind: 'dead', reason: 'INVALID_ARGUMENT', field });

export const requestedPattern = 'statement_requested';

const requestedSchema = z.object({
  pattern: z.literal(requestedPattern),
  data: z.object({ exportId: uuid }),
});

/** `statement_requested`: names an export, and says nothing else. */
export const toRequestedMessage = (exportId: string): OutboundMessage => ({
  messageId: uuidV5(exportId, 'requested'),
  routingKey: 'statement.requested',
  body: { pattern: requestedPattern, data: { exportId } },
});

/** `statement_ready`: an export has ended, as `done` or `failed`. */
export const toReadyMessage = (
  exportId: string,
  userId: string,
  status: 'done' | 'failed',
): OutboundMessage => ({
  messageId: uuidV5(exportId, 'ready'),
  routingKey: 'statement.ready',
  body: { pattern: 'statement_ready', data: { exportId, userId, status } },
});

/** The export that a message names, or why it can never be handled. */
export function readRequested(message: InboundMessage): { readonly exportId: string } | Poison {
  const parsed = requestedSchema.safeParse(message.body);
  return parsed.success
    ? parsed.data.data
    : poison(parsed.error.issues[0]?.path.join('.') ?? 'body');
}

/** The message names an export that is not there: another database's, say. */
export const unknownExport: Poison = {
  kind: 'dead',
  reason: 'EXPORT_NOT_FOUND',
  field: 'data.exportId',
};
