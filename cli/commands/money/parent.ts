import { findExponent } from '../../../core/currencies.ts';
import { isUuid } from '../../../core/ids.ts';
import { ofHold } from '../../../core/operations.ts';
import {
  WalletServiceService,
  type Hold,
  type Transaction,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { exitCodes, fail, succeed, type Outcome } from '../../outcome.ts';
import { readHold, resolveHoldId } from '../holds/find.ts';
import { resolveTransactionId } from '../transactions/find.ts';
import type { KnownUser } from '../users/actor.ts';
import { failUnknownCurrency, readAmount, type MoneyCommand } from './command.ts';

/** What an undo undoes, or the hold that is captured or released. */
export type Parent =
  | { readonly transaction: Transaction; readonly hold?: undefined }
  | { readonly hold: Hold; readonly transaction?: undefined };

/** A command with the whole id of its parent, and the parent where it had to be read. */
export type NamedChild = {
  readonly moneyCommand: MoneyCommand;
  readonly parent: Parent | undefined;
};

/**
 * The command with the whole id of its parent, and its amount in minor units. The beginning of an
 * id counts within the wallet of the user and the currency, and the id that it stands for is always
 * shown. The parent is read if it is to be shown, or if only it says the currency.
 */
export async function nameParent(
  context: Context,
  typed: MoneyCommand,
  user: KnownUser | undefined,
  isShown: boolean,
): Promise<Outcome<NamedChild>> {
  const whole = await nameWhole(context, typed, user);
  if (!whole.ok) return whole;
  const { part, ...moneyCommand } = whole.value;
  const { parentId } = moneyCommand;
  if (parentId === undefined || (part === undefined && !isShown)) {
    return succeed({ moneyCommand, parent: undefined });
  }
  const read = await readParent(context, moneyCommand, parentId, user);
  // Who may undo need not be allowed to read: then the currency is the chosen one.
  const isHidden = !read.ok && read.failure.exitCode === exitCodes.notAllowed;
  if (!read.ok && !(isHidden && !isShown)) return read;
  const parent = read.ok ? read.value : undefined;
  if (part === undefined) return succeed({ moneyCommand, parent });
  const known = parent?.hold ?? parent?.transaction;
  const currency = known?.currency ?? context.settings.currency;
  const amount = readAmount(part, currency);
  if (!amount.ok) return amount;
  return succeed({
    moneyCommand: { ...moneyCommand, currency, amountMinor: amount.value },
    parent,
  });
}

async function nameWhole(
  context: Context,
  moneyCommand: MoneyCommand,
  user: KnownUser | undefined,
): Promise<Outcome<MoneyCommand>> {
  const { parentId, operation } = moneyCommand;
  if (parentId === undefined || isUuid(parentId)) return succeed(moneyCommand);
  const currency = moneyCommand.currency || context.settings.currency;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const wallet = { userId: user?.id ?? '', currency };
  const isOfHold = ofHold(operation);
  const resolve = isOfHold ? resolveHoldId : resolveTransactionId;
  const resolved = await resolve(context, parentId, wallet);
  if (!resolved.ok) return resolved;
  const noun = isOfHold ? 'hold' : 'transaction';
  await context.reporter.noteAlways(`${operation} of ${parentId}: the ${noun} ${resolved.value}`);
  return succeed({ ...moneyCommand, parentId: resolved.value });
}

async function readParent(
  { caller }: Context,
  { operation, currency }: MoneyCommand,
  parentId: string,
  user: KnownUser | undefined,
): Promise<Outcome<Parent>> {
  if (ofHold(operation)) {
    const read = await readHold({ caller }, parentId, user?.id ?? '');
    return read.ok ? succeed({ hold: read.value }) : read;
  }
  const by = { $case: 'transactionId', value: parentId } as const;
  const request = { by, userId: user?.id ?? '', currency };
  const got = await caller.call(WalletServiceService.getTransaction, request, 'read');
  if (!got.ok) return got;
  const { transaction } = got.value;
  return transaction
    ? succeed({ transaction })
    : fail('UNEXPECTED', 'the server answered without a transaction');
}
