import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import { canonicalId, isUuid } from '../../../core/ids.ts';
import {
  WalletServiceService,
  type GetTransactionRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import {
  done,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { printObject } from '../../output/print.ts';
import { transactionColumns } from '../../output/transaction-columns.ts';
import { resolveUser } from '../users/actor.ts';
import { failNoId, isIdOrPrefix } from '../shared/id-prefix.ts';
import { addWalletOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { resolveTransactionId, transactionSearch } from './find.ts';
import { toTransactionJson } from '../../../lib/json/transactions.ts';

type TransactionsShowOptions = {
  readonly user?: string;
  readonly currency?: string;
  readonly idempotencyKey?: string;
};

/** Adds `wallet transactions show`. */
export function addTransactionsShow(transactions: Command, start: Start): void {
  addWalletOptions(transactions.command('show').description('show one transaction'))
    .argument('[TRANSACTION_ID]', 'its id, or 8 or more characters of its beginning')
    .option('--idempotency-key <KEY>', 'find it by its idempotency key instead')
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet transactions show 6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55
  wallet transactions show 6b6a2f0c --user ana@example.com
  wallet transactions show --idempotency-key order-1042`,
    )
    .action(async (id: string | undefined, options: TransactionsShowOptions, command: Command) => {
      await start(command, (context) => runTransactionsShow(context, id, options));
    });
}

/** `wallet transactions show`: by id, or by the key that named it. */
async function runTransactionsShow(
  context: Context,
  id: string | undefined,
  options: TransactionsShowOptions,
): Promise<CommandOutcome> {
  const { idempotencyKey } = options;
  if ((id === undefined) === (idempotencyKey === undefined)) {
    return failUsage('transaction_id', 'give either a transaction id or --idempotency-key');
  }
  if (id !== undefined && !isIdOrPrefix(id)) return failNoId(id, transactionSearch);
  // A whole id says which wallet; its beginning and a key only name something within one.
  const isWhole = id !== undefined && isUuid(canonicalId(id));
  const chosen = isWhole ? undefined : context.settings.currency;
  const currency = options.currency ?? chosen ?? '';
  if (currency !== '' && findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const wallet = { userId: user.value?.id ?? '', currency };
  const by = await readName(context, id, idempotencyKey, wallet);
  if (!by.ok) return by;
  const request = { by: by.value, ...wallet };
  const got = await context.caller.call(WalletServiceService.getTransaction, request, 'read');
  if (!got.ok) return got;
  const { transaction } = got.value;
  if (!transaction) return fail('UNEXPECTED', 'the server answered without a transaction');
  const columns = transactionColumns(context.settings.timezone);
  const row = { transaction, replayed: false, isDryRun: false };
  await printObject(context, row, columns, toTransactionJson);
  return done;
}

async function readName(
  context: Context,
  id: string | undefined,
  idempotencyKey = '',
  wallet: { readonly userId: string; readonly currency: string },
): Promise<Outcome<NonNullable<GetTransactionRequest['by']>>> {
  if (id === undefined) return succeed({ $case: 'idempotencyKey', value: idempotencyKey });
  const resolved = await resolveTransactionId(context, id, wallet);
  return resolved.ok ? succeed({ $case: 'transactionId', value: resolved.value }) : resolved;
}
