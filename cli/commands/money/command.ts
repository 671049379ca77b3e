import { findExponent } from '../../../core/currencies.ts';
import { canonicalId } from '../../../core/ids.ts';
import { parseAmount } from '../../../core/money.ts';
import { isUndo, type Operation } from '../../../core/operations.ts';
import { canonicalText, findTextProblem, textLimits } from '../../../core/text.ts';
import type { TransactionItem } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { failUsage, succeed, type Outcome } from '../../outcome.ts';
import { failNoId, isIdOrPrefix } from '../shared/id-prefix.ts';
import { transactionSearch } from '../transactions/find.ts';
import { suggestCurrency } from '../../config/settings.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import { operationNumbers } from '../../../lib/json/names.ts';

/** The options of deposit, withdraw, purchase, cancel and reverse, as they were typed. */
export type MoneyOptions = {
  readonly user?: string;
  readonly currency?: string;
  readonly description?: string;
  readonly merchant?: string;
  readonly idempotencyKey?: string;
  /** Not the key that an unfinished earlier run of the same command left. */
  readonly newKey?: boolean;
  readonly dryRun?: boolean;
};

/** What is to be done, checked as far as it can be without the server. */
export type MoneyCommand = {
  readonly operation: Operation;
  /** Absent for an undo, which takes its parent's. */
  readonly amountMinor: bigint | undefined;
  /** Empty: the parent's. */
  readonly currency: string;
  /** As typed it may be the beginning of an id; what is confirmed and sent has the whole id. */
  readonly parentId: string | undefined;
  readonly description: string | undefined;
  readonly merchant: string | undefined;
};

/**
 * Checks a command's argument: an amount for the three that move money by themselves, otherwise
 * the id of what is to be undone. `chosenCurrency` comes from environment, profile or default.
 */
export function checkMoneyCommand(
  operation: Operation,
  argument: string,
  options: MoneyOptions,
  chosenCurrency: string,
): Outcome<MoneyCommand> {
  // An empty text says nothing, as one that is not given.
  const texts = {
    description: canonicalText(options.description ?? '') || undefined,
    merchant: canonicalText(options.merchant ?? '') || undefined,
  };
  for (const field of ['description', 'merchant'] as const) {
    const text = texts[field];
    const problem = text === undefined ? undefined : findTextProblem(text, textLimits[field]);
    if (problem !== undefined) return failUsage(field, problem);
  }
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
  if (isUndo(operation)) return checkUndo(operation, argument, options, texts);
  const currency = options.currency ?? chosenCurrency;
  const exponent = findExponent(currency);
  if (exponent === undefined) return failUnknownCurrency(currency);
  const amount = parseAmount(argument, exponent);
  if (!amount.ok) {
    const message = `${JSON.stringify(argument)} is not a valid amount of ${currency}: ${amount.problem}`;
    const failed = failUsage('amount', message);
    return { ok: false, failure: { ...failed.failure, reason: 'AMOUNT_INVALID' } };
  }
  const { minor: amountMinor } = amount;
  return succeed({ operation, amountMinor, currency, parentId: undefined, ...texts });
}

function checkUndo(
  operation: Operation,
  argument: string,
  options: MoneyOptions,
  texts: Pick<MoneyCommand, 'description' | 'merchant'>,
): Outcome<MoneyCommand> {
  const parentId = canonicalId(argument);
  if (!isIdOrPrefix(parentId)) return failNoId(argument, transactionSearch);
  // Only the flag counts: an exported default must not hide a parent in another currency.
  const currency = options.currency ?? '';
  if (currency !== '' && findExponent(currency) === undefined) return failUnknownCurrency(currency);
  return succeed({ operation, amountMinor: undefined, currency, parentId, ...texts });
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
    metadata: {},
    idempotencyKey,
  };
}

/** `withdraw 10.00 BRL`, `reversal of 0f…`. */
export function describeMoneyCommand({
  operation,
  amountMinor,
  currency,
  parentId,
}: MoneyCommand): string {
  return amountMinor === undefined
    ? `${operation} of ${parentId ?? ''}`
    : `${operation} ${formatMoney(amountMinor, currency)} ${currency}`;
}
