import { z } from 'zod';

import { toChainedMore, toMoreColumns, type ChainedMore } from '../../../core/chain.ts';
import type { CreatedEvent } from '../../../core/messages/created-event.ts';
import { isStorableTime, parseDate } from '../../../core/time/calendar.ts';
import { findExponent } from '../../../core/currencies.ts';
import { canonicalUuid, isUuid, uuidV5 } from '../../../core/ids.ts';
import { absoluteMinor, heldLimitMinor, parseAmount } from '../../../core/money.ts';
import { isOperation, type Operation } from '../../../core/operations.ts';
import { findTextProblem, textLimits } from '../../../core/text.ts';
import type { Handling, InboundMessage, OutboundMessage } from '../../platform/broker/broker.ts';
import type { Line } from '../domain.ts';

const uuid = z.string().refine(isUuid);

type Poison = Extract<Handling, { kind: 'dead' }>;

type Created = {
  readonly userId: string;
  readonly walletId: string;
  readonly currency: string;
  readonly transaction: {
    readonly id: string;
    readonly seq: number;
    readonly operation: Operation;
    readonly amount: string;
    readonly direction: 'credit' | 'debit' | 'none';
    readonly balanceAfter: string;
    readonly contraAccount: string;
    readonly parentId?: string;
    readonly source: string;
    readonly actor: string;
    readonly description?: string;
    readonly metadata?: Readonly<Record<string, string>>;
    readonly occurredAt: string;
    readonly held?: string;
    readonly heldAfter?: string;
    readonly parentUsed?: string;
    readonly groupId?: string;
    readonly previousHash: string;
    readonly hash: string;
  };
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
/** What the database can store as it is: no NUL, no lone surrogate. */
const isPlainText = (value: unknown): boolean =>
  isText(value) && !value.includes('\0') && value.isWellFormed();
const isMetadata = (value: unknown): boolean =>
  isObject(value) && Object.entries(value).flat().every(isPlainText);
const isTextIfAny = (value: unknown): boolean => value === undefined || isText(value);
const isId = (value: unknown): boolean => isText(value) && isUuid(value);
/** A time that both the database and the protocol can hold. */
const isTime = (value: unknown): boolean =>
  isText(value) && timePattern.test(value) && isStorableTime(Date.parse(value));
const timePattern = z.core.regexes.datetime({});
const hashPattern = /^[0-9a-f]{64}$/;

/** Each field of `transaction`, in the order in which faults are reported. */
const transactionChecks: readonly (readonly [string, (value: unknown) => boolean])[] = [
  ['id', isId],
  ['seq', (value) => Number.isSafeInteger(value) && (value as number) > 0],
  ['operation', (value) => isText(value) && isOperation(value)],
  ['amount', isText],
  ['direction', (value) => value === 'credit' || value === 'debit' || value === 'none'],
  ['balanceAfter', isText],
  ['contraAccount', isPlainText],
  ['parentId', (value) => value === undefined || isId(value)],
  ['source', isPlainText],
  ['actor', isPlainText],
  ['description', (value) => value === undefined || isPlainText(value)],
  ['metadata', (value) => value === undefined || isMetadata(value)],
  ['occurredAt', isTime],
  ['held', isTextIfAny],
  ['heldAfter', isTextIfAny],
  ['parentUsed', isTextIfAny],
  ['groupId', (value) => value === undefined || isId(value)],
  ['previousHash', (value) => isText(value) && hashPattern.test(value)],
  ['hash', (value) => isText(value) && hashPattern.test(value)],
];

/** Where no money moved: of a hold or its release. */
const holdPattern = 'hold_changed';

/**
 * The path of the first field of `transaction_created` or `hold_changed` that is not as
 * docs/events.md says; undefined if all are. By hand, since it runs for each message: a schema takes
 * ten times as long.
 */
function findShapeFault(body: unknown): string | undefined {
  if (!isObject(body)) return '';
  const { pattern, data } = body;
  if (pattern !== 'transaction_created' && pattern !== holdPattern) return 'pattern';
  if (!isObject(data)) return 'data';
  const { userId, walletId, currency, transaction } = data;
  if (!isId(userId)) return 'data.userId';
  if (!isId(walletId)) return 'data.walletId';
  if (!isText(currency) || findExponent(currency) === undefined) return 'data.currency';
  if (!isObject(transaction)) return 'data.transaction';
  for (const [name, isRight] of transactionChecks) {
    if (!isRight(transaction[name])) return `data.transaction.${name}`;
  }
  return undefined;
}

/** The statement line that a message brings, or why it never can. */
export function readLine(message: InboundMessage): Line | Poison {
  if (message.event) return lineOf(message.event);
  const fault = findShapeFault(message.body);
  if (fault !== undefined) return poison(fault);
  const { pattern, data } = message.body as { readonly pattern: string; readonly data: Created };
  const { userId, walletId, currency, transaction } = data;
  const exponent = findExponent(currency) ?? 0;
  const amount = parseAmount(transaction.amount, exponent);
  if (!amount.ok) return poison('data.transaction.amount');
  const balanceAfterMinor = readSigned(transaction.balanceAfter, exponent);
  if (balanceAfterMinor === undefined) return poison('data.transaction.balanceAfter');
  const more = readMore(transaction, exponent);
  if ('kind' in more) return more;
  const isHold = pattern === holdPattern;
  if (isHold !== (transaction.direction === 'none')) return poison('data.transaction.direction');
  // Of a hold or release the amount is what is reserved or released: no money moves.
  const heldMinor = more.value?.heldMinor ?? 0n;
  if (isHold && absoluteMinor(heldMinor) !== amount.minor) return poison('data.transaction.held');
  return {
    walletId,
    userId,
    currency,
    seq: BigInt(transaction.seq),
    transactionId: transaction.id,
    operation: transaction.operation,
    amountMinor: signed(transaction.direction, amount.minor),
    balanceAfterMinor,
    contraAccount: transaction.contraAccount,
    parentId: transaction.parentId,
    source: transaction.source,
    actor: transaction.actor,
    description: transaction.description,
    metadata: transaction.metadata ?? {},
    occurredAtMs: Date.parse(transaction.occurredAt),
    more: more.value,
    previousHash: transaction.previousHash,
    hash: transaction.hash,
  };
}

function signed(direction: Created['transaction']['direction'], minor: bigint): bigint {
  if (direction === 'none') return 0n;
  return direction === 'debit' ? -minor : minor;
}

/** An amount that may be 0 or, with a minus, below it. */
function readSigned(text: string, exponent: number, limitMinor?: bigint): bigint | undefined {
  if (/^0(\.0+)?$/.test(text)) return 0n;
  const isNegative = text.startsWith('-');
  const amount = parseAmount(isNegative ? text.slice(1) : text, exponent, limitMinor);
  if (!amount.ok) return undefined;
  return isNegative ? -amount.minor : amount.minor;
}

function readMore(
  transaction: Created['transaction'],
  exponent: number,
): { readonly value: ChainedMore | undefined } | Poison {
  const minor: Partial<Record<'held' | 'heldAfter' | 'parentUsed', bigint>> = {};
  for (const name of ['held', 'heldAfter', 'parentUsed'] as const) {
    const text = transaction[name];
    if (text === undefined) continue;
    const limitMinor = name === 'heldAfter' ? heldLimitMinor : undefined;
    const value = readSigned(text, exponent, limitMinor);
    const isBelow = value !== undefined && value < 0n && name !== 'held';
    if (value === undefined || isBelow) return poison(`data.transaction.${name}`);
    minor[name] = value;
  }
  const { held, heldAfter, parentUsed } = minor;
  return { value: toChainedMore({ held, heldAfter, parentUsed, groupId: transaction.groupId }) };
}

/** The line of an event that came without JSON. */
const lineOf = (event: CreatedEvent): Line => ({
  walletId: event.wallet.id,
  userId: event.wallet.userId,
  currency: event.wallet.currency,
  seq: event.seq,
  transactionId: event.id,
  operation: event.operation,
  amountMinor: event.amountMinor,
  balanceAfterMinor: event.balanceAfterMinor,
  contraAccount: event.contraAccount,
  parentId: event.parentId,
  source: event.source,
  actor: event.actor,
  description: event.description,
  metadata: event.metadata,
  occurredAtMs: event.occurredAtMs,
  more: event.more && toChainedMore(toMoreColumns(event.more)),
  previousHash: event.previousHash,
  hash: event.hash,
});

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

/** A statement that another program asks for; `fromMs` is the midnight of a date in UTC. */
export type AskedStatement = {
  readonly userId: string;
  readonly fromMs: number;
  readonly key: string;
};

/** The export that a message names, or asks for, or why it can never be handled. */
export function readRequested(
  message: InboundMessage,
): { readonly exportId: string } | AskedStatement | Poison {
  if (message.body === undefined) return { kind: 'dead', reason: 'NOT_JSON', field: 'body' };
  if (isObject(message.body) && message.body['pattern'] === requestedPattern) {
    const { data } = message.body;
    if (isObject(data) && data['exportId'] === undefined) return readAsked(message, data);
  }
  const parsed = requestedSchema.safeParse(message.body);
  return parsed.success
    ? parsed.data.data
    : poison(parsed.error.issues[0]?.path.join('.') || 'body');
}

function readAsked(
  message: InboundMessage,
  { userId, maxDate, messageId }: Readonly<Record<string, unknown>>,
): AskedStatement | Poison {
  const owner = isText(userId) ? canonicalUuid(userId) : undefined;
  if (owner === undefined) return poison('data.userId');
  const fromMs = isText(maxDate) ? parseDate(maxDate) : undefined;
  if (fromMs === undefined) return poison('data.maxDate');
  const key = message.messageId ?? messageId;
  // Without an id a redelivery would be a new message.
  if (key === undefined) return { kind: 'dead', reason: 'MESSAGE_ID_MISSING', field: 'messageId' };
  // Bytes that are no UTF-8 all come as U+FFFD: two keys could be taken for one.
  const isKey =
    isText(key) &&
    key !== '' &&
    !key.includes('\ufffd') &&
    findTextProblem(key, textLimits.idempotencyKey) === undefined;
  return isKey ? { userId: owner, fromMs, key } : poison('messageId');
}

/** The message names an export that is not there: another database's, say. */
export const unknownExport: Poison = {
  kind: 'dead',
  reason: 'EXPORT_NOT_FOUND',
  field: 'data.exportId',
};
