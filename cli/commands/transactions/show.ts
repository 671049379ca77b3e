import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import { isUuid } from '../../../core/ids.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { done, fail, failUsage, type CommandOutcome } from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { printObject } from '../../output/print.ts';
import { transactionColumns } from '../../output/transaction-columns.ts';
import { resolveUser } from '../users/actor.ts';
import { addWalletOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { toTransactionJson } from '../../../lib/json/transactions.ts';

type TransactionsShowOptions = {
  readonly user?: string;
  readonly currency?: string;
  readonly idempotencyKey?: string;
};

/** Adds `wallet transactions show`. */
export function addTransactionsShow(transactions: Command, start: Start): void {
  addWalletOptions(transactions.command('show').description('show one transaction'))
    .argument('[TRANSACTION_ID]', 'its id')
    .option('--idempotency-key <KEY>', 'find it by its idempotency key instead')
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet transactions show 6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55
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
  const transactionId = id?.toLowerCase();
  if (transactionId !== undefined && !isUuid(transactionId)) {
    return failUsage('transaction_id', `${JSON.stringify(id)} is not a transaction's id`);
  }
  // An id says which wallet; a key only names something within one.
  const chosen = transactionId === undefined ? context.settings.currency : undefined;
  const currency = options.currency ?? chosen ?? '';
  if (currency !== '' && findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const by =
    transactionId === undefined
      ? ({ $case: 'idempotencyKey', value: idempotencyKey ?? '' } as const)
      : ({ $case: 'transactionId', value: transactionId } as const);
  const request = { by, userId: user.value?.id ?? '', currency };
  const got = await context.caller.call(WalletServiceService.getTransaction, request, 'read');
  if (!got.ok) return got;
  const { transaction } = got.value;
  if (!transaction) return fail('UNEXPECTED', 'the server answered without a transaction');
  const columns = transactionColumns(context.settings.timezone);
  const row = { transaction, replayed: false, isDryRun: false };
  await printObject(context, row, columns, toTransactionJson);
  return done;
}
