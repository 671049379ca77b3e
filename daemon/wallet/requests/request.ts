import { findExponent } from '../../../core/currencies.ts';
import { transactionIdOf, isUuid, walletIdOf, type CallerClass } from '../../../core/ids.ts';
import { amountLimitMinor } from '../../../core/money.ts';
import { isUndo, type Operation } from '../../../core/operations.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { canonicalText, findTextProblem, textLimits } from '../../../core/text.ts';
import type { Command, WalletRef } from '../domain.ts';
import type { WalletRefs } from './wallet-refs.ts';

/** What a transaction asks for, from whichever way it came, before anything is checked. */
export type TransactionRequest = {
  readonly userId: string;
  readonly currency: string;
  readonly operation: Operation;
  readonly amountMinor: bigint | undefined;
  readonly parentId: string | undefined;
  readonly merchant: string | undefined;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly idempotencyKey: string;
  readonly callerClass: CallerClass;
  readonly actor: string;
};

const maxMetadataEntries = 16;
const maxMetadataLength = 256;

/**
 * The wallet of a user in a currency; CURRENCY_UNKNOWN if ISO 4217 has no such code. `cache` saves
 * the hash for a wallet that was asked for before.
 */
export function refOf(userId: string, currency: string, cache?: WalletRefs): Result<WalletRef> {
  const known = cache?.find(userId, currency);
  if (known) return succeed(known);
  const exponent = findExponent(currency);
  if (exponent === undefined) {
    return refuse('CURRENCY_UNKNOWN', 'currency must be a code of ISO 4217 in capitals, like BRL', {
      field: 'currency',
    });
  }
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
export function toCommand(request: TransactionRequest, cache?: WalletRefs): Result<Command> {
  const ref = refOf(request.userId, request.currency, cache);
  if (!ref.ok) return ref;
  const texts = readTexts(request);
  const problem = findFieldProblem(request, texts) ?? findAmountProblem(request);
  if (problem) return problem;
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
  });
}

type Refusal = ReturnType<typeof refuse>;

function findAmountProblem({ operation, amountMinor }: TransactionRequest): Refusal | undefined {
  const field = { field: 'amount' };
  if (amountMinor === undefined) {
    return isUndo(operation) ? undefined : refuse('AMOUNT_INVALID', 'amount is missing', field);
  }
  if (amountMinor <= 0n) return refuse('AMOUNT_INVALID', 'amount must be above 0', field);
  if (amountMinor >= amountLimitMinor) {
    return refuse('AMOUNT_INVALID', 'amount must be below 10^18 minor units', field);
  }
  return undefined;
}

function findFieldProblem(
  { operation, parentId, metadata }: TransactionRequest,
  { key, merchant, description }: Texts,
): Refusal | undefined {
  if (key === '') return invalid('idempotency_key', 'must be given');
  if (isUndo(operation) && parentId === undefined) {
    return invalid('parent_id', `must name the transaction that the ${operation} undoes`);
  }
  if (!isUndo(operation) && parentId !== undefined) {
    return invalid('parent_id', `must be absent: a ${operation} has no parent`);
  }
  if (parentId !== undefined && !isUuid(parentId)) {
    return invalid('parent_id', 'must be a UUID in lower case');
  }
  if (merchant !== undefined && operation !== 'purchase') {
    return invalid('merchant', `must be absent: only a purchase has a merchant`);
  }
  if (merchant === '') return invalid('merchant', 'must not be empty');
  return (
    findTextFault('idempotency_key', key, textLimits.idempotencyKey) ??
    findTextFault('description', description, textLimits.description) ??
    findTextFault('merchant', merchant, textLimits.merchant) ??
    findMetadataFault(metadata)
  );
}

function findMetadataFault(metadata: TransactionRequest['metadata']): Refusal | undefined {
  let count = 0;
  for (const key in metadata) {
    count += 1;
    if (count > maxMetadataEntries) {
      return invalid('metadata', `must have at most ${maxMetadataEntries} entries`);
    }
    const fault =
      findTextFault('metadata', key, maxMetadataLength) ??
      findTextFault('metadata', metadata[key], maxMetadataLength);
    if (fault) return fault;
  }
  return undefined;
}

function findTextFault(
  field: string,
  text: string | undefined,
  maxLength: number,
): Refusal | undefined {
  const problem = text === undefined ? undefined : findTextProblem(text, maxLength);
  return problem === undefined ? undefined : invalid(field, problem);
}

const invalid = (field: string, problem: string): Refusal =>
  refuse('INVALID_ARGUMENT', `${field} ${problem}`, { field });
