import { findExponent } from '../../../core/currencies.ts';
import { canonicalUuid, uuidV5 } from '../../../core/ids.ts';
import { findNumberText } from '../../../core/json/number-text.ts';
import { readAmount } from '../../../core/money.ts';
import {
  isOperation,
  isUndo,
  operationOfMessageNumber,
  type Operation,
} from '../../../core/operations.ts';
import type { Handling, InboundMessage, OutboundMessage } from '../../platform/broker/broker.ts';
import type { Refusal } from '../store/inbox.ts';
import type { TransactionRequest } from '../requests/request.ts';

export { toCreatedMessage } from './created-message.ts';

/** Why a message can never be handled: a reason of ours, and the field that it is about. */
export type Poison = Extract<Handling, { kind: 'dead' }>;

export const poison = (reason: string, field: string): Poison => ({ kind: 'dead', reason, field });

/** A message asks for what a caller would; an undo may leave its currency to its parent. */
export type EmittedRequest = Omit<TransactionRequest, 'currency'> & {
  readonly currency: string | undefined;
};

type Emitted = {
  readonly userId: string;
  readonly messageId?: string;
  readonly transaction: {
    readonly id?: string | null;
    readonly amount?: string | number | null;
    readonly operation: string | number;
    readonly currency?: string | null;
    readonly description?: string | null;
    readonly merchant?: string | null;
  };
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isId = (value: unknown): value is string =>
  isText(value) && canonicalUuid(value) !== undefined;
const isTextOrAbsent = (value: unknown): boolean =>
  value === undefined || value === null || isText(value);

/**
 * The path of the first field that is not as docs/events.md says, as far as its shape goes;
 * undefined if all are. By hand, since it runs for each message: a schema takes ten times as long.
 */
function findShapeFault(body: unknown): string | undefined {
  if (!isObject(body)) return '';
  if (body['pattern'] !== 'transaction_emitted') return 'pattern';
  const { data } = body;
  if (!isObject(data)) return 'data';
  if (!isId(data['userId'])) return 'data.userId';
  if (data['messageId'] !== undefined && !isText(data['messageId'])) return 'data.messageId';
  const { transaction } = data;
  if (!isObject(transaction)) return 'data.transaction';
  const { id, amount, operation } = transaction;
  if (id !== undefined && id !== null && !isId(id)) return 'data.transaction.id';
  if (!isTextOrAbsent(amount) && !Number.isFinite(amount)) return 'data.transaction.amount';
  if (!isText(operation) && !Number.isSafeInteger(operation)) return 'data.transaction.operation';
  const field = ['currency', 'description', 'merchant'].find(
    (name) => !isTextOrAbsent(transaction[name]),
  );
  return field === undefined ? undefined : `data.transaction.${field}`;
}

/** Reads `transaction_emitted`: a request, or why the message is poison. */
export function readEmitted(
  message: InboundMessage,
  defaultCurrency: string,
): EmittedRequest | Poison {
  if (message.body === undefined) return poison('NOT_JSON', 'body');
  const fault = findShapeFault(message.body);
  if (fault !== undefined) {
    return poison(fault === 'pattern' ? 'UNKNOWN_PATTERN' : 'INVALID_FIELD', fault || 'body');
  }
  const { data } = message.body as { readonly data: Emitted };
  const idempotencyKey = message.messageId ?? data.messageId;
  // Without an id a redelivery would be a new message.
  if (idempotencyKey === undefined) return poison('MESSAGE_ID_MISSING', 'messageId');
  // Bytes that are no UTF-8 all come as this character: two keys could be taken for one.
  if (message.messageId?.includes('\ufffd')) return poison('INVALID_FIELD', 'messageId');
  const operation = readOperation(data.transaction.operation);
  if (!operation) return poison('INVALID_FIELD', 'data.transaction.operation');
  const currency = data.transaction.currency ?? (isUndo(operation) ? undefined : defaultCurrency);
  if (currency !== undefined && findExponent(currency) === undefined) {
    return poison('CURRENCY_UNKNOWN', 'data.transaction.currency');
  }
  const amountMinor = readEmittedAmount(data, currency, message.text);
  if (typeof amountMinor === 'object') return amountMinor;
  const { id } = data.transaction;
  return {
    userId: canonicalUuid(data.userId) ?? data.userId,
    currency,
    operation,
    amountMinor,
    parentId: id === undefined || id === null ? undefined : canonicalUuid(id),
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
  if (typeof value === 'number') return operationOfMessageNumber(value);
  return isOperation(value) ? value : undefined;
}

const amountPath = ['data', 'transaction', 'amount'];

/** The amount in minor units; undefined where none is given. */
function readEmittedAmount(
  { transaction: { amount } }: Emitted,
  currency: string | undefined,
  text: string,
): bigint | undefined | Poison {
  if (amount === undefined || amount === null) return undefined;
  // An undo of unknown currency: its amount cannot be read without an exponent.
  if (currency === undefined) return poison('CURRENCY_REQUIRED', 'data.transaction.currency');
  // A number of a message that never was a text is as exact as its producer made it.
  const source = typeof amount === 'number' ? findNumberText(text, amountPath) : undefined;
  const parsed = readAmount(amount, findExponent(currency) ?? 0, source);
  return parsed.ok ? parsed.minor : poison('AMOUNT_INVALID', 'data.transaction.amount');
}

/** `transaction_rejected`: the business answer to a message, for its sender. */
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
