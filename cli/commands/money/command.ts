import { findExponent } from '../../../core/currencies.ts';
import { canonicalId } from '../../../core/ids.ts';
import { parseAmount } from '../../../core/money.ts';
import { hasParent, ofHold, type Operation } from '../../../core/operations.ts';
import { canonicalText, findTextProblem, textLimits } from '../../../core/text.ts';
import type { TransactionItem } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { failUsage, succeed, type Outcome } from '../../outcome.ts';
import type { Context } from '../../context.ts';
import { readExtras, type Extras, type MoneyOptions } from './extras.ts';
import { holdSearch } from '../holds/find.ts';
import { failNoId, isIdOrPrefix } from '../shared/id-prefix.ts';
import { transactionSearch } from '../transactions/find.ts';
import { suggestCurrency } from '../../config/settings.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import { operationNumbers } from '../../../lib/json/names.ts';

/** What is to be done, checked as far as it can be without the server. */
export type MoneyCommand = {
  readonly operation: Operation;
  /** Absent for all that is left of the parent. */
  readonly amountMinor: bigint | undefined;
  /** The amount of a part, as typed, while the currency of its parent is not known. */
  readonly part?: string;
  /** Empty: the parent's. */
  readonly currency: string;
  /** As typed it may be the beginning of an id; what is confirmed and sent has the whole id. */
  readonly parentId: string | undefined;
} & Extras;

/**
 * Checks a command's argument: an amount for those that move or reserve money by themselves,
 * otherwise the id of what is to be undone, or of a hold.
 */
export function checkMoneyCommand(
  context: Pick<Context, 'clock' | 'settings'>,
  operation: Operation,
  argument: string,
  options: MoneyOptions,
): Outcome<MoneyCommand> {
  const read = readExtras(options, context);
  if (!read.ok) return read;
  const extras = read.value;
  const key =
    options.idempotencyKey === undefined ? undefined : canonicalText(options.idempotencyKey);
  if (key !== undefined) {
    const problem =
      key === '' ? 'must not be empty' : findTextProblem(key, textLimits.idempotencyKey);
    if (problem !== undefined) return failUsage('idempotency_key', problem);
    if (options.newKey) {
      return failUsage('new_key', '--new-key and --idempotency-key exclude each other');
    }
  }
  if (hasParent(operation)) return checkChild(operation, argument, options, extras);
  if (operation === 'transfer' && extras.to === undefined) {
    return failUsage('to', 'is missing', 'name who is paid: --to EMAIL or --to USER_ID');
  }
  const payees = [extras.merchant, extras.to, extras.via].filter((payee) => payee !== undefined);
  if (operation === 'hold' && payees.length > 1) {
    const message = '--merchant, --to and --via exclude each other: a hold is for one of them';
    return failUsage(extras.to === undefined ? 'via' : 'to', message);
  }
  const currency = options.currency ?? context.settings.currency;
  const amount = readAmount(argument, currency);
  if (!amount.ok) return amount;
  return succeed({
    operation,
    amountMinor: amount.value,
    currency,
    parentId: undefined,
    ...extras,
  });
}

/** An amount in minor units of a currency. */
export function readAmount(text: string, currency: string): Outcome<bigint> {
  const exponent = findExponent(currency);
  if (exponent === undefined) return failUnknownCurrency(currency);
  const amount = parseAmount(text, exponent);
  if (amount.ok) return succeed(amount.minor);
  const message = `${JSON.stringify(text)} is not a valid amount of ${currency}: ${amount.problem}`;
  const failed = failUsage('amount', message);
  return { ok: false, failure: { ...failed.failure, reason: 'AMOUNT_INVALID' } };
}

function checkChild(
  operation: Operation,
  argument: string,
  options: MoneyOptions,
  extras: Extras,
): Outcome<MoneyCommand> {
  const parentId = canonicalId(argument);
  const search = ofHold(operation) ? holdSearch : transactionSearch;
  if (!isIdOrPrefix(parentId)) return failNoId(argument, search);
  // Only the flag counts: an exported default must not hide a parent in another currency.
  const currency = options.currency ?? '';
  if (currency !== '' && findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const whole = { operation, amountMinor: undefined, currency, parentId, ...extras };
  const part = options.amount;
  if (part === undefined) return succeed(whole);
  // Without a currency the amount has the decimals of the parent's, which only the server knows.
  const amount = currency === '' ? checkPart(part) : readAmount(part, currency);
  if (!amount.ok) return amount;
  return succeed(currency === '' ? { ...whole, part } : { ...whole, amountMinor: amount.value });
}

/** No currency has more decimals. */
const mostDecimals = 4;

function checkPart(text: string): Outcome<bigint> {
  const amount = parseAmount(text, mostDecimals);
  if (amount.ok) return succeed(amount.minor);
  const message = `${JSON.stringify(text)} is not a valid amount: ${amount.problem}`;
  const { failure } = failUsage('amount', message);
  return { ok: false, failure: { ...failure, reason: 'AMOUNT_INVALID' } };
}

/** CURRENCY_UNKNOWN, as the server would say it. */
export function failUnknownCurrency(currency: string): Outcome<never> {
  const message = `${JSON.stringify(currency)} is not an ISO 4217 code`;
  const hint = `codes are three capital letters: ${suggestCurrency(currency)}`;
  const { failure } = failUsage('currency', message, hint);
  return { ok: false, failure: { ...failure, reason: 'CURRENCY_UNKNOWN' } };
}

/** What the server is asked. An empty user is the caller. */
export function toItem(
  moneyCommand: MoneyCommand,
  userId: string,
  idempotencyKey: string,
): TransactionItem {
  return {
    userId,
    currency: moneyCommand.currency,
    operation: operationNumbers[moneyCommand.operation],
    amountMinor: moneyCommand.amountMinor,
    parentId: moneyCommand.parentId,
    description: moneyCommand.description,
    merchant: moneyCommand.merchant,
    metadata: { ...moneyCommand.metadata },
    toUserId: moneyCommand.to,
    via: moneyCommand.via,
    reference: moneyCommand.reference,
    force: moneyCommand.isForced ? true : undefined,
    expiresAt: moneyCommand.expiresAt,
    expiresInSeconds: toBigInt(moneyCommand.expiresInSeconds),
    keepRest: moneyCommand.keepsRest ? true : undefined,
    idempotencyKey,
  };
}

const toBigInt = (count: number | undefined): bigint | undefined =>
  count === undefined ? undefined : BigInt(count);

/** `withdraw 10.00 BRL`, `reversal of 0f…`. */
export function describeMoneyCommand({
  operation,
  amountMinor,
  currency,
  parentId,
  to,
}: MoneyCommand): string {
  const sum = amountMinor === undefined ? '' : ` ${formatMoney(amountMinor, currency)} ${currency}`;
  const target = parentId === undefined ? (to === undefined ? '' : ` to ${to}`) : ` of ${parentId}`;
  return operation + sum + target;
}
