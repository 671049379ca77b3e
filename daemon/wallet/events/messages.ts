import { findExponent } from '../../../core/currencies.ts';
import { canonicalUuid, uuidV5 } from '../../../core/ids.ts';
import { findNumberText } from '../../../core/json/number-text.ts';
import { readAmount } from '../../../core/money.ts';
import {
  hasParent,
  isOperation,
  operationOfMessageNumber,
  type Operation,
} from '../../../core/operations.ts';
import { parseInstant } from '../../../core/time/calendar.ts';
import type { Handling, InboundMessage, OutboundMessage } from '../../platform/broker/broker.ts';
import type { Refusal } from '../store/inbox.ts';
import type { HoldFields } from '../requests/hold-fields.ts';
import { addReference } from '../requests/reference.ts';
import type { TransactionRequest } from '../requests/request.ts';

export { toCreatedMessage } from './created-message.ts';

/** Why a message can never be handled: a reason of ours, and the field that it is about. */
export type Poison = Extract<Handling, { kind: 'dead' }>;

export const poison = (reason: string, field: string): Poison => ({ kind: 'dead', reason, field });

/** A message asks for what a caller would; what has a parent may leave its currency to it. */
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
    readonly toUserId?: string | null;
    readonly via?: string | null;
    readonly expiresAt?: string | null;
    readonly expiresInSeconds?: number | null;
    readonly keepRest?: boolean | null;
    readonly reference?: string | null;
    readonly metadata?: Readonly<Record<string, string>> | null;
  };
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isId = (value: unknown): value is string =>
  isText(value) && canonicalUuid(value) !== undefined;
const isTextOrAbsent = (value: unknown): boolean =>
  value === undefined || value === null || isText(value);

const isTextsOrAbsent = (value: unknown): boolean =>
  value === undefined || value === null || (isObject(value) && Object.values(value).every(isText));
const isIdOrAbsent = (value: unknown): boolean =>
  value === undefined || value === null || isId(value);

const isTimeOrAbsent = (value: unknown): boolean =>
  value === undefined || value === null || (isText(value) && parseInstant(value) !== undefined);
const isWholeOrAbsent = (value: unknown): boolean =>
  value === undefined || value === null || Number.isSafeInteger(value);
const isFlagOrAbsent = (value: unknown): boolean =>
  value === undefined || value === null || typeof value === 'boolean';

/** The fields of a transaction that most messages leave out. */
const laterFields: readonly (readonly [string, (value: unknown) => boolean])[] = [
  ['currency', isTextOrAbsent],
  ['description', isTextOrAbsent],
  ['merchant', isTextOrAbsent],
  ['toUserId', isIdOrAbsent],
  ['via', isTextOrAbsent],
  ['expiresAt', isTimeOrAbsent],
  ['expiresInSeconds', isWholeOrAbsent],
  ['keepRest', isFlagOrAbsent],
  ['reference', isTextOrAbsent],
  ['metadata', isTextsOrAbsent],
];

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
  if (!isIdOrAbsent(id)) return 'data.transaction.id';
  if (!isTextOrAbsent(amount) && !Number.isFinite(amount)) return 'data.transaction.amount';
  if (!isText(operation) && !Number.isSafeInteger(operation)) return 'data.transaction.operation';
  const field = laterFields.find(([name, isRight]) => !isRight(transaction[name]))?.[0];
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
  const currency =
    data.transaction.currency ?? (hasParent(operation) ? undefined : defaultCurrency);
  if (currency !== undefined && findExponent(currency) === undefined) {
    return poison('CURRENCY_UNKNOWN', 'data.transaction.currency');
  }
  // The other side of an undo or capture is its parent's.
  if (hasParent(operation) && (data.transaction.toUserId ?? undefined) !== undefined) {
    return poison('INVALID_FIELD', 'data.transaction.toUserId');
  }
  const amountMinor = readEmittedAmount(data, currency, message.text);
  if (typeof amountMinor === 'object') return amountMinor;
  const { metadata, reference } = data.transaction;
  const pairs = addReference(metadata ?? {}, reference ?? undefined);
  if (!pairs.ok) return poison('INVALID_FIELD', 'data.transaction.reference');
  return {
    userId: canonicalUuid(data.userId) ?? data.userId,
    currency,
    operation,
    amountMinor,
    parentId: readId(data.transaction.id),
    merchant: data.transaction.merchant ?? undefined,
    otherUserId: readId(data.transaction.toUserId),
    via: data.transaction.via ?? undefined,
    isForced: false,
    ...readHoldFields(data.transaction),
    description: data.transaction.description ?? undefined,
    metadata: pairs.value,
    idempotencyKey,
    callerClass: 'message',
    actor: message.userId ?? 'amqp',
  };
}

/** What only messages about holds have; nothing for all others. */
function readHoldFields({
  expiresAt,
  expiresInSeconds,
  keepRest,
}: Emitted['transaction']): HoldFields {
  const isAbsent = (expiresAt ?? expiresInSeconds ?? keepRest ?? undefined) === undefined;
  if (isAbsent) return noHoldFields;
  return {
    expiresAtMs: parseInstant(expiresAt ?? ''),
    expiresInSeconds: typeof expiresInSeconds === 'number' ? BigInt(expiresInSeconds) : undefined,
    keepsRest: keepRest ?? undefined,
  };
}

const noHoldFields: HoldFields = {};

const readId = (id: string | null | undefined): string | undefined =>
  id === undefined || id === null ? undefined : canonicalUuid(id);

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
  // What has a parent of unknown currency: its amount cannot be read without an exponent.
  if (currency === undefined) return poison('CURRENCY_REQUIRED', 'data.transaction.currency');
  // A number of a message that never was a text is as exact as its producer made it.
  const source = typeof amount === 'number' ? findNumberText(text, amountPath) : undefined;
  const parsed = readAmount(amount, findExponent(currency) ?? 0, source);
  return parsed.ok ? parsed.minor : poison('AMOUNT_INVALID', 'data.transaction.amount');
}

/** `transaction_rejected`: the business answer to a message, for its sender. */
export function toRejectedMessage({ command, rejection }: Refusal): OutboundMessage {
  const { walletId } = rejection.metadata;
  const isOther = walletId !== undefined && walletId !== command.wallet.id;
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
        ...(isOther && { walletId }),
      },
    },
  };
}
