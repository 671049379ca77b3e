import { isUuid } from '../../core/ids.ts';
import { isUndo, type Operation } from '../../core/operations.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type {
  CreateTransactionRequest,
  CreateTransactionResponse,
  TransactionItem,
  WalletServiceServer,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { resolveSubject, type Principal } from '../platform/access.ts';
import type { CallContext, Handlers } from '../platform/grpc/calls.ts';
import { decideOnly, type Posted } from './commit.ts';
import type { Command } from './domain.ts';
import type { GroupCommit } from './group-commit.ts';
import { streamLedger } from './ledger-stream.ts';
import {
  getBalance,
  getTransaction,
  listTransactions,
  listWallets,
  type ReadOptions,
} from './read-handlers.ts';
import { toCommand } from './request.ts';
import * as reads from './store-reads.ts';
import { readOperation, toWireTransaction } from './wire.ts';

export type HandlerOptions = ReadOptions & {
  readonly groupCommit: GroupCommit<Command, Posted>;
  /** True while so many events wait to be sent that no more are taken on. */
  readonly isOutboxFull: () => boolean;
  /** What customers may do by themselves. */
  readonly selfServiceOperations: ReadonlySet<Operation>;
};

/** Wire to domain and back; who may touch which wallet is settled here and in the SQL. */
export function createHandlers(options: HandlerOptions): Handlers<WalletServiceServer> {
  return {
    createTransaction: (request, context) => createTransaction(options, request, context),
    getTransaction: (request, context) => getTransaction(options, request, context),
    listTransactions: (request, context) => listTransactions(options, request, context),
    getBalance: (request, context) => getBalance(options, request, context),
    listWallets: (request, context) => listWallets(options, request, context),
    streamLedger: (request) => Promise.resolve(streamLedger(options.db, request)),
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

/** Who may ask for this, on whose wallet, and whether it is well formed: all before the lock. */
async function readItem(
  options: HandlerOptions,
  item: TransactionItem,
  principal: Principal,
): Promise<Result<Command>> {
  const operation = readOperation(item.operation);
  if (!operation) {
    return refuse('INVALID_ARGUMENT', 'operation is missing or unknown', { field: 'operation' });
  }
  if (principal.kind !== 'user') return refuse('PERMISSION_DENIED', 'a user must move money');
  const subject = resolveSubject(principal, item.userId);
  if (!subject.ok) return subject;
  const userId = subject.value;
  const allowed = checkMover(options, principal.role === 'customer', operation, {
    isOwn: userId === principal.userId,
  });
  if (!allowed.ok) return allowed;
  const currency = await findCurrency(options, item, operation, userId);
  const command = toCommand({
    userId,
    currency,
    operation,
    amountMinor: item.amountMinor,
    parentId: item.parentId,
    merchant: item.merchant,
    description: item.description,
    metadata: item.metadata,
    idempotencyKey: item.idempotencyKey,
    callerClass: principal.role === 'customer' ? 'customer' : 'staff',
    actor: principal.userId,
  });
  if (!command.ok) return command;
  const exists = await options.users.check(userId);
  return exists.ok ? command : exists;
}

function checkMover(
  options: HandlerOptions,
  isCustomer: boolean,
  operation: Operation,
  { isOwn }: { isOwn: boolean },
): Result<void> {
  if (!isCustomer && isOwn) {
    return refuse(
      'STAFF_OWN_WALLET',
      'staff move no money on a wallet of their own: have a colleague do it',
    );
  }
  if (isCustomer && !options.selfServiceOperations.has(operation)) {
    return refuse('OPERATION_NOT_ALLOWED', `customers may not ${operation} here: ask the staff`, {
      field: 'operation',
      operation,
    });
  }
  return succeed(undefined);
}

/**
 * An undo takes its parent's currency. A parent that is not committed yet (sent just before, on
 * the same stream) is looked for in the default currency, under the lock.
 */
async function findCurrency(
  { db, defaultCurrency }: HandlerOptions,
  item: TransactionItem,
  operation: Operation,
  userId: string,
): Promise<string> {
  if (item.currency !== '') return item.currency;
  const { parentId } = item;
  if (!isUndo(operation) || parentId === undefined || !isUuid(parentId)) return defaultCurrency;
  const found = await db.read((tx) => reads.findCurrencyOf(tx, parentId, userId));
  return found ?? defaultCurrency;
}
