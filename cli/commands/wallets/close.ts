import { randomUUID } from 'node:crypto';

import type { Command } from 'commander';

import { canonicalText, findTextProblem, textLimits } from '../../../core/text.ts';
import {
  formatBalance,
  toTransactionJson,
  toWalletJson,
  type WalletRow,
} from '../../../lib/json/transactions.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import {
  CloseWalletRequest,
  WalletServiceService,
  type CloseWalletResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import {
  done,
  fail,
  failUsage,
  succeed,
  type CliFailure,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { numberColumn, textColumn } from '../../output/columns.ts';
import { printObject, type Column } from '../../output/print.ts';
import { confirmChange } from '../shared/confirm.ts';
import type { Start } from '../shared/start.ts';
import type { KnownUser } from '../users/actor.ts';
import { resolveRecipient } from '../users/recipient.ts';
import { walletColumns, walletDryRunColumn } from './columns.ts';
import {
  addStatusOptions,
  describeUser,
  detailsOf,
  readStatusPlan,
  type StatusOptions,
  type StatusPlan,
} from './shared.ts';

type CloseOptions = StatusOptions & {
  readonly sweepTo?: string;
  readonly idempotencyKey?: string;
};

/** Adds `wallet wallets close`. */
export function addWalletsClose(wallets: Command, start: Start): void {
  addStatusOptions(
    wallets
      .command('close')
      .description('close an empty wallet: it takes no transactions until it is reopened')
      .option('--sweep-to <USER>', 'first transfer the balance to this user: e-mail address or id')
      .option('--idempotency-key <KEY>', 'of that transfer (default: a new one)'),
    ['--sweep-to bia@example.com'],
  ).action(async (options: CloseOptions, command: Command) => {
    await start(command, (context) => runClose(context, options));
  });
}

async function runClose(context: Context, options: CloseOptions): Promise<CommandOutcome> {
  const key = readKey(options);
  if (!key.ok) return key;
  const plan = await readStatusPlan(context, 'closing a wallet', options);
  if (!plan.ok) return plan;
  const payee = await findPayee(context, options, !context.isConfirmed && !plan.value.isDryRun);
  if (!payee.ok) return payee;
  const { isDryRun } = plan.value;
  if (!isDryRun) {
    const confirmed = await confirm(context, plan.value, payee.value);
    if (!confirmed.ok) return confirmed;
  }
  const request = toRequest(plan.value, payee.value, key.value, isDryRun);
  const kind = isDryRun ? 'read' : 'write';
  const closed = await context.caller.call(WalletServiceService.closeWallet, request, kind);
  if (!closed.ok) return { ok: false, failure: fitHint(closed.failure, plan.value) };
  return printClosed(context, closed.value, isDryRun);
}

/** Shows what is there to transfer, as the server sees it. */
async function confirm(
  context: Context,
  plan: StatusPlan,
  payee: KnownUser | undefined,
): Promise<Outcome<undefined>> {
  if (context.isConfirmed) return succeed(undefined);
  const details = [...detailsOf(plan)];
  if (!payee) return confirmChange(context, { details, question: 'Close this wallet?' });
  const { user, currency } = plan;
  const method = WalletServiceService.getBalance;
  const got = await context.caller.call(method, { userId: user.id, currency }, 'read');
  if (!got.ok) return got;
  const balance = got.value.wallet && formatBalance(got.value.wallet);
  return confirmChange(context, {
    details: [...details, ['balance', balance], ['balance to', describeUser(payee)]],
    question: 'Transfer the balance and close this wallet?',
  });
}

function readKey({ sweepTo, idempotencyKey }: CloseOptions): Outcome<string> {
  if (idempotencyKey === undefined) return succeed(randomUUID());
  if (sweepTo === undefined) {
    return failUsage('idempotency_key', 'is for a transfer: it needs --sweep-to USER');
  }
  const key = canonicalText(idempotencyKey);
  const problem =
    key === '' ? 'must not be empty' : findTextProblem(key, textLimits.idempotencyKey);
  return problem === undefined ? succeed(key) : failUsage('idempotency_key', problem);
}

async function findPayee(
  context: Context,
  { sweepTo }: CloseOptions,
  needsEmail: boolean,
): Promise<Outcome<KnownUser | undefined>> {
  if (sweepTo === undefined) return succeed(undefined);
  return resolveRecipient(context, sweepTo, needsEmail, 'sweep_to');
}

/**
 * Hints of refusals that concern who is paid name the option of a transfer, and money that holds
 * reserve cannot be moved.
 */
function fitHint(failure: CliFailure, { currency }: StatusPlan): CliFailure {
  if (failure.reason === 'WALLET_NOT_EMPTY' && failure.message.includes('reserved by holds')) {
    const list = `wallet holds list --state open --currency ${currency}`;
    return { ...failure, hint: `capture or release them, see: ${list}` };
  }
  const { hint } = failure;
  return hint === undefined
    ? failure
    : { ...failure, hint: hint.replaceAll(/--to (?=EMAIL|USER_ID)/g, '--sweep-to ') };
}

const toRequest = (
  { user, currency, note }: StatusPlan,
  payee: KnownUser | undefined,
  key: string,
  isDryRun: boolean,
): CloseWalletRequest =>
  CloseWalletRequest.fromPartial({
    ...{ userId: user.id, currency, note, dryRun: isDryRun },
    ...(payee ? { sweepToUserId: payee.id, idempotencyKey: key } : {}),
  });

type ClosedRow = WalletRow & Pick<CloseWalletResponse, 'transaction' | 'replayed'>;

/** The columns of a wallet, and what was transferred. */
const sweepColumns: readonly Column<ClosedRow>[] = [
  numberColumn(
    'transferred',
    'TRANSFERRED',
    ({ transaction }) => transaction && formatMoney(transaction.amountMinor, transaction.currency),
  ),
  textColumn('transaction_id', 'TRANSACTION', ({ transaction, isDryRun }) =>
    isDryRun ? undefined : transaction?.id,
  ),
  textColumn('replayed', 'REPLAYED', ({ replayed }) =>
    replayed ? 'true: the wallet is shown as it is now' : undefined,
  ),
];

/** docs/cli.md, "JSON": a wallet, with the transfer of its balance. */
const toClosedJson = (row: ClosedRow): object => ({
  ...toWalletJson(row),
  ...(row.transaction
    ? { transaction: toTransactionJson({ ...row, transaction: row.transaction }) }
    : {}),
});

async function printClosed(
  context: Context,
  { wallet, transaction, replayed }: CloseWalletResponse,
  isDryRun: boolean,
): Promise<CommandOutcome> {
  if (!wallet) return fail('UNEXPECTED', 'the server answered without a wallet');
  const columns = [...walletColumns(context.settings.timezone), ...sweepColumns];
  const shown = isDryRun ? [walletDryRunColumn, ...columns] : columns;
  await printObject(context, { wallet, transaction, replayed, isDryRun }, shown, toClosedJson);
  return done;
}
