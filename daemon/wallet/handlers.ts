import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type {
  CreateTransactionRequest,
  CreateTransactionResponse,
  WalletServiceServer,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { CallContext, Handlers } from '../platform/grpc/calls.ts';
import { decideOnly, type Posted } from './commit.ts';
import type { Command } from './domain.ts';
import type { GroupCommit } from './group-commit.ts';
import { readItem, type ItemOptions } from './items.ts';
import {
  getBalance,
  getTransaction,
  listTransactions,
  listWallets,
  type ReadOptions,
} from './read-handlers.ts';
import { toWireTransaction } from './wire.ts';

export type HandlerOptions = ReadOptions &
  ItemOptions & {
    readonly groupCommit: GroupCommit<Command, Posted>;
    /** True while so many events wait to be sent that no more are taken on. */
    readonly isOutboxFull: () => boolean;
  };

/** Wire to domain and back; who may touch which wallet is settled here and in the SQL. */
export function createHandlers(options: HandlerOptions): Handlers<WalletServiceServer> {
  return {
    createTransaction: (request, context) => createTransaction(options, request, context),
    getTransaction: (request, context) => getTransaction(options, request, context),
    listTransactions: (request, context) => listTransactions(options, request, context),
    getBalance: (request, context) => getBalance(options, request, context),
    listWallets: (request, context) => listWallets(options, request, context),
  };
}

async function createTransaction(
  options: HandlerOptions,
  { item, dryRun }: CreateTransactionRequest,
  context: CallContext,
): Promise<Result<CreateTransactionResponse>> {
  if (!item) return refuse('INVALID_ARGUMENT', 'item is missing', { field: 'item' });
  const command = await readItem(options, item, context.principal);
  if (!command.ok) return command;
  if (!dryRun && options.isOutboxFull()) {
    return refuse(
      'OUTBOX_FULL',
      'too many events wait for the message broker: nothing was done, try again later',
    );
  }
  const posted = dryRun
    ? await decideOnly(options.db, command.value)
    : await options.groupCommit.submit(command.value, context);
  if (!posted.ok) return posted;
  const { entry, isReplayed } = posted.value;
  return succeed({ transaction: toWireTransaction(entry), replayed: isReplayed });
}
