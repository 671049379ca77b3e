import { z } from 'zod';

import { findExponent } from '../../core/currencies.ts';
import { isUuid, uuidV5 } from '../../core/ids.ts';
import { absoluteMinor, formatMinor, parseAmount } from '../../core/money.ts';
import { isOperation, isUndo, operations, type Operation } from '../../core/operations.ts';
import type { Handling, InboundMessage, OutboundMessage } from '../platform/broker.ts';
import type { Entry } from './domain.ts';
import type { Refusal } from './inbox.ts';
import type { TransactionRequest } from './request.ts';

/** Why a message can never be handled: a reason of ours, and the field that it is about. */
export type Poison = Extract<Handling, { kind: 'dead' }>;

export const poison = (reason: string, field: string): Poison => ({ kind: 'dead', reason, field });

/** A message asks for what a caller would; an undo may leave its currency to its parent. */
export type EmittedRequest = Omit<TransactionRequest, 'currency'> & {
  readonly currency: string | undefined;
};

/** The envelope of docs/events.md, as far as its shape goes; what it means is checked below. */
const emittedSchema = z.object({
  pattern: z.literal('transaction_emitted'),
  data: z.object({
    userId: z.string().refine(isUuid),
    messageId: z.string().optional(),
    transaction: z.object({
      id: z.string().refine(isUuid).nullish(),
      amount: z.union([z.string(), z.number()]).nullish(),
      operation: z.union([z.string(), z.int()]),
      currency: z.string().nullish(),
      description: z.string().nullish(),
      merchant: z.string().nullish(),
    }),
  }),
});

type Emitted = z.output<typeof emittedSchema>['data'];

/** Reads `transaction_emitted`: a request, or why the message is poison. */
export function readEmitted(
  message: InboundMessage,
  defaultCurrency: string,
): EmittedRequest | Poison {
  if (message.body === undefined) return poison('NOT_JSON', 'body');
  const parsed = emittedSchema.safeParse(message.body);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') ?? '';
    return poison(field === 'pattern' ? 'UNKNOWN_PATTERN' : 'INVALID_FIELD', field || 'body');
  }
  const { data } = parsed.data;
  const idempotencyKey = message.messageId ?? data.messageId;
  // Without a name it could not be told from its own redelivery.
  if (idempotencyKey === undefined) return poison('MESSAGE_ID_MISSING', 'messageId');
  const operation = readOperation(data.transaction.operation);
  if (!operation) return poison('INVALID_FIELD', 'data.transaction.operation');
  const currency = data.transaction.currency ?? (isUndo(operation) ? undefined : defaultCurrency);
  if (currency !== undefined && findExponent(currency) === undefined) {
    return poison('CURRENCY_UNKNOWN', 'data.transaction.currency');
  }
  const amountMinor = readAmount(data, currency);
  if (typeof amountMinor === 'object') return amountMinor;
  return {
    userId: data.userId,
    currency,
    operation,
    amountMinor,
    parentId: data.transaction.id ?? undefined,
    merchant: data.transaction.merchant ?? undefined,
    description: data.transaction.description ?? undefined,
    metadata: {},
    idempotencyKey,
    callerClass: 'message',
    actor: message.userId ?? 'amqp',
  };
}

/** A name, or its number: 0 deposit, 1 withdraw, 2 purchase, 3 reversal, 4 cancellation. */
function readOperation(value: string | number): Operation | undefined {
  if (typeof value === 'number') return operations[value];
  return isOperation(value) ? value : undefined;
}

/**
 * A decimal string, or a number. JSON numbers are binary fractions, rounded before they come here:
 * one so large that its cents could be rounded is refused. Strings are the safe way.
 */
function readAmount(
  { transaction: { amount } }: Emitted,
  currency: string | undefined,
): bigint | undefined | Poison {
  if (amount === undefined || amount === null) return undefined;
  const field = 'data.transaction.amount';
  // An undo of unknown currency: its amount could not be told from another one's.
  if (currency === undefined) return poison('CURRENCY_REQUIRED', 'data.transaction.currency');
  const exponent = findExponent(currency) ?? 0;
  if (typeof amount === 'number' && Math.abs(amount) * 10 ** exponent > Number.MAX_SAFE_INTEGER) {
    return poison('AMOUNT_INVALID', field);
  }
  const parsed = parseAmount(String(amount), exponent);
  return parsed.ok ? parsed.minor : poison('AMOUNT_INVALID', field);
}

/**
 * `transaction_created`, as docs/events.md describes it. The message's id follows from the
 * transaction and its wallet, so that a listener can recognise a redelivery.
 */
export function toCreatedMessage(entry: Entry): OutboundMessage {
  const { wallet, amountMinor } = entry;
  return {
    messageId: uuidV5(wallet.id, `created:${entry.id}`),
    routingKey: 'transaction.created',
    body: {
      pattern: 'transaction_created',
      data: {
        userId: wallet.userId,
        walletId: wallet.id,
        currency: wallet.currency,
        transaction: {
          id: entry.id,
          seq: Number(entry.seq),
          operation: entry.operation,
          amount: formatMinor(absoluteMinor(amountMinor), wallet.exponent),
          direction: amountMinor < 0n ? 'debit' : 'credit',
          balanceAfter: formatMinor(entry.balanceAfterMinor, wallet.exponent),
          contraAccount: entry.contraAccount,
          parentId: entry.parentId,
          description: entry.description,
          occurredAt: new Date(entry.occurredAtMs).toISOString(),
          hash: entry.hash,
        },
      },
    },
  };
}

/** `transaction_rejected`: the business answer to a message, for whoever sent it. */
export function toRejectedMessage({ command, rejection }: Refusal): OutboundMessage {
  return {
    messageId: uuidV5(command.wallet.id, `rejected:${command.transactionId}`),
    routingKey: 'transaction.rejected',
    body: {
      pattern: 'transaction_rejected',
      data: {
        messageId: command.key,
        userId: command.wallet.userId,
        reason: rejection.reason,
        message: rejection.message,
      },
    },
  };
}
