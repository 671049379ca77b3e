import { findViaProblem } from '../../../core/contra-account.ts';
import { findExponent } from '../../../core/currencies.ts';
import { transactionIdOf, isUuid, walletIdOf, type CallerClass } from '../../../core/ids.ts';
import { findMetadataProblem } from '../../../core/json/metadata.ts';
import { amountLimitMinor } from '../../../core/money.ts';
import { hasParent, isUndo, ofHold, type Operation } from '../../../core/operations.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { canonicalText, findTextProblem, textLimits } from '../../../core/text.ts';
import type { Command, CommandMore, WalletRef } from '../domain.ts';
import { usualHoldDays, type HoldDays } from './hold-days.ts';
import {
  findHoldFault,
  findParentFault,
  readHoldMore,
  type FieldFault,
  type HoldRequest,
} from './hold-fields.ts';
import type { WalletRefs } from './wallet-refs.ts';

/** What a transaction asks for, from whichever way it came, before anything is checked. */
export type TransactionRequest = HoldRequest & {
  readonly currency: string;
  readonly amountMinor: bigint | undefined;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly idempotencyKey: string;
  readonly callerClass: CallerClass;
  readonly actor: string;
};

/** ISO 4217 has no such code. */
export const unknownCurrency = refuse(
  'CURRENCY_UNKNOWN',
  'currency must be a code of ISO 4217 in capitals, like BRL',
  { field: 'currency' },
);

/**
 * The wallet of a user in a currency; CURRENCY_UNKNOWN if ISO 4217 has no such code. `cache` saves
 * the hash for a wallet that was asked for before.
 */
export function refOf(userId: string, currency: string, cache?: WalletRefs): Result<WalletRef> {
  const known = cache?.find(userId, currency);
  if (known) return succeed(known);
  const exponent = findExponent(currency);
  if (exponent === undefined) return unknownCurrency;
  const ref = { id: walletIdOf(userId, currency), userId, currency, exponent };
  cache?.keep(ref);
  return succeed(ref);
}

/** The texts of a request, each in its canonical form. */
type Texts = {
  readonly key: string;
  readonly merchant: string | undefined;
  readonly description: string | undefined;
};

const readTexts = ({ idempotencyKey, merchant, description }: TransactionRequest): Texts => ({
  key: canonicalText(idempotencyKey),
  merchant: merchant === undefined ? undefined : canonicalText(merchant),
  description: description === undefined ? undefined : canonicalText(description),
});

/** Checks everything that needs no state, and names the transaction. */
export function toCommand(
  request: TransactionRequest,
  cache?: WalletRefs,
  holdDays: HoldDays = usualHoldDays,
): Result<Command> {
  const ref = refOf(request.userId, request.currency, cache);
  if (!ref.ok) return ref;
  const texts = readTexts(request);
  const problem = findFieldProblem(request, texts) ?? findAmountProblem(request);
  if (problem) return problem;
  const more = readMore(request, ref.value, cache, holdDays);
  if (!more.ok) return more;
  // Spelt out: copying by spread is several times as slow, for each transaction.
  return succeed({
    transactionId: transactionIdOf(ref.value.id, request.callerClass, texts.key),
    key: texts.key,
    wallet: ref.value,
    operation: request.operation,
    amountMinor: request.amountMinor,
    parentId: request.parentId,
    merchant: texts.merchant,
    description: texts.description,
    metadata: request.metadata,
    callerClass: request.callerClass,
    actor: request.actor,
    more: more.value,
  });
}

const nothingMore = succeed(undefined);

/** What only some commands have. TRANSFER_TO_SELF. */
function readMore(
  request: TransactionRequest,
  own: WalletRef,
  cache: WalletRefs | undefined,
  holdDays: HoldDays,
): Result<CommandMore | undefined> {
  const { operation, currency, otherUserId, via, isForced, keepsRest, groupId } = request;
  if (operation === 'hold') return readHoldMore(request, holdDays);
  const isPlain = otherUserId === undefined && via === undefined && groupId === undefined;
  if (isPlain && !isForced && !keepsRest) return nothingMore;
  const other =
    otherUserId === undefined ? succeed(undefined) : refOf(otherUserId, currency, cache);
  if (!other.ok) return other;
  if (other.value?.id === own.id) {
    return refuse('TRANSFER_TO_SELF', 'a transfer goes to another user', { field: 'to_user_id' });
  }
  return succeed({
    ...(other.value ? { other: other.value } : {}),
    ...(via === undefined ? {} : { via }),
    ...(isForced ? { isForced } : {}),
    ...(keepsRest ? { keepsRest } : {}),
    ...(groupId === undefined ? {} : { groupId }),
  });
}

type Refusal = ReturnType<typeof refuse>;

function findAmountProblem({ operation, amountMinor }: TransactionRequest): Refusal | undefined {
  const field = { field: 'amount' };
  if (amountMinor === undefined) {
    return hasParent(operation) ? undefined : refuse('AMOUNT_INVALID', 'amount is missing', field);
  }
  if (amountMinor <= 0n) return refuse('AMOUNT_INVALID', 'amount must be above 0', field);
  if (amountMinor >= amountLimitMinor) {
    return refuse('AMOUNT_INVALID', 'amount must be below 10^18 minor units', field);
  }
  return undefined;
}

const viaUsers: ReadonlySet<Operation> = new Set(['deposit', 'withdraw', 'hold']);
/** What staff may let pass a limit: the balance for a reversal, spending limits for the others. */
const forcible: ReadonlySet<Operation> = new Set([
  ...(['reversal', 'withdraw', 'purchase', 'transfer', 'hold', 'fee'] as const),
]);

function findMoreFault({
  operation,
  otherUserId,
  via,
  isForced,
  groupId,
}: TransactionRequest): FieldFault | undefined {
  if (operation === 'fee' && groupId === undefined) {
    return ['operation', 'fee must be in a group'];
  }
  if (operation === 'transfer' && otherUserId === undefined) {
    return ['to_user_id', 'must name the user who is paid'];
  }
  // The other side of an undo or of a capture is its parent's.
  const hasOther = operation === 'transfer' || operation === 'hold' || operation === 'capture';
  if (otherUserId !== undefined && !hasOther && !isUndo(operation)) {
    return ['to_user_id', `must be absent: a ${operation} pays no user`];
  }
  if (otherUserId !== undefined && !isUuid(otherUserId)) {
    return ['to_user_id', 'must be a UUID in lower case'];
  }
  if (via !== undefined && !viaUsers.has(operation)) {
    const problem =
      'must be absent: only a deposit, a withdrawal or a hold goes through an account';
    return ['via', problem];
  }
  const viaProblem = via === undefined ? undefined : findViaProblem(via);
  if (viaProblem !== undefined) return ['via', viaProblem];
  if (isForced && !forcible.has(operation)) {
    return ['force', 'must be absent: only a reversal, a debit or a hold can be forced'];
  }
  return undefined;
}

function findFieldProblem(request: TransactionRequest, texts: Texts): Refusal | undefined {
  const { operation, metadata } = request;
  const { key, merchant, description } = texts;
  if (key === '') return request.groupId === undefined ? noKey : noKeyInGroup;
  const fault =
    findParentFault(request, hasParent(operation)) ??
    findMerchantFault(operation, merchant) ??
    findMoreFault(request) ??
    findHoldFault(request);
  if (fault) return invalid(...fault);
  return (
    findTextFault('idempotency_key', key, textLimits.idempotencyKey) ??
    findTextFault('description', description, textLimits.description) ??
    findTextFault('merchant', merchant, textLimits.merchant) ??
    findMetadataFault(metadata)
  );
}

function findMerchantFault(
  operation: Operation,
  merchant: string | undefined,
): FieldFault | undefined {
  if (merchant !== undefined && operation !== 'purchase' && operation !== 'hold') {
    const whose = ofHold(operation) ? ': it is that of the hold' : '';
    return ['merchant', `must be absent: only a purchase or a hold has a merchant${whose}`];
  }
  return merchant === '' ? ['merchant', 'must not be empty'] : undefined;
}

function findMetadataFault(metadata: TransactionRequest['metadata']): Refusal | undefined {
  const found = findMetadataProblem(metadata);
  if (!found) return undefined;
  const { key, problem } = found;
  const named = key === undefined ? {} : { key };
  return refuse('INVALID_ARGUMENT', `metadata ${problem}`, { field: 'metadata', ...named });
}

function findTextFault(
  field: string,
  text: string | undefined,
  maxLength: number,
): Refusal | undefined {
  const problem = text === undefined ? undefined : findTextProblem(text, maxLength);
  return problem === undefined ? undefined : invalid(field, problem);
}

const noKey = refuse('INVALID_ARGUMENT', 'idempotency_key must be given', {
  field: 'idempotency_key',
});
const noKeyInGroup = refuse(
  'IDEMPOTENCY_KEY_REQUIRED',
  'each item of a group must have its idempotency_key',
  { field: 'idempotency_key' },
);

const invalid = (field: string, problem: string): Refusal =>
  refuse('INVALID_ARGUMENT', `${field} ${problem}`, { field });
