import { isUuid } from '../../core/ids.ts';
import { isUndo, type Operation } from '../../core/operations.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type {
  CreateTransactionRequest,
  CreateTransactionResponse,
  TransactionItem,
  WalletServiceServer,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  asDenial,
  checkWalletOfKey,
  deny,
  resolveSubject,
  type UserPrincipal,
} from '../platform/access.ts';
import { auditRead, recordRead } from '../platform/audit-reads.ts';
import type { AuditTrail } from '../platform/audit.ts';
import type { Db } from '../platform/db.ts';
import type { CallContext, Handlers } from '../platform/grpc/calls.ts';
import { lineOf, withAudit } from './audit.ts';
import { decideOnly } from './commit.ts';
import type { Command } from './domain.ts';
import { changeStatus } from './freeze.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Posted, Posting } from './posting.ts';
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
  readonly groupCommit: GroupCommit<Posting, Posted>;
  /** Connections that no reader can use up: a freeze must not wait for them. */
  readonly commitDb: Db;
  readonly trail: Pick<AuditTrail, 'record'>;
  /** True while so many events wait to be sent that no more are taken on. */
  readonly isOutboxFull: () => boolean;
  /** What customers may do by themselves. */
  readonly selfServiceOperations: ReadonlySet<Operation>;
};

/** Wire to domain and back; who may touch which wallet is settled here and in the SQL. */
export function createHandlers(options: HandlerOptions): Handlers<WalletServiceServer> {
  const { trail } = options;
  return {
    createTransaction: (request, context) => createTransaction(options, request, context),
    getTransaction: auditRead(
      trail,
      (request, context) => getTransaction(options, request, context),
      (_request, { transaction }) => ({
        action: 'transaction.get',
        target: transaction?.userId ?? '',
        details: { transactionId: transaction?.id ?? '' },
      }),
    ),
    listTransactions: auditRead(
      trail,
      (request, context) => listTransactions(options, request, context),
      ({ userId, currency }) => ({
        action: 'transaction.list',
        target: userId,
        details: { currency: currency || options.defaultCurrency },
      }),
    ),
    getBalance: auditRead(
      trail,
      (request, context) => getBalance(options, request, context),
      ({ userId }, { wallet }) => ({
        action: 'wallet.balance',
        target: userId,
        details: { currency: wallet?.currency ?? '' },
      }),
    ),
    listWallets: auditRead(
      trail,
      (request, context) => listWallets(options, request, context),
      ({ userId }) => ({ action: 'wallet.list', target: userId || 'all users' }),
    ),
    freezeWallet: (request, context) => changeStatus(options, 'frozen', request, context),
    unfreezeWallet: (request, context) => changeStatus(options, 'active', request, context),
  };
}

async function createTransaction(
  options: HandlerOptions,
  { item, dryRun }: CreateTransactionRequest,
  context: CallContext,
): Promise<Result<CreateTransactionResponse>> {
  if (!item) return refuse('INVALID_ARGUMENT', 'item is missing', { field: 'item' });
  const { principal } = context;
  if (principal.kind !== 'user') return deny('a user must move money');
  const command = await readItem(options, item, principal);
  if (!command.ok) return command;
  if (!dryRun && options.isOutboxFull()) {
    return refuse(
      'OUTBOX_FULL',
      'too many events wait for the message broker: nothing was done, try again later',
    );
  }
  const posted = dryRun
    ? await decideDry(options, command.value, context)
    : await options.groupCommit.submit(withAudit(command.value, context), context);
  if (!posted.ok) return posted;
  const { entry, isReplayed } = posted.value;
  return succeed({ transaction: toWireTransaction(entry), replayed: isReplayed });
}

/** What would come of it. To staff this tells of another's balance, so it counts as a read. */
async function decideDry(
  { db, trail }: HandlerOptions,
  command: Command,
  context: CallContext,
): Promise<Result<Posted>> {
  const outcome = await decideOnly(db, command);
  const line = { action: 'transaction.dry_run', ...lineOf(command, outcome) };
  const recorded = await recordRead(trail, context, line);
  return recorded.ok ? outcome : recorded;
}

/** Who may ask for this, on whose wallet, and whether it is well formed: all before the lock. */
async function readItem(
  options: HandlerOptions,
  item: TransactionItem,
  principal: UserPrincipal,
): Promise<Result<Command>> {
  const operation = readOperation(item.operation);
  if (!operation) {
    return refuse('INVALID_ARGUMENT', 'operation is missing or unknown', { field: 'operation' });
  }
  const subject = resolveSubject(principal, item.userId);
  if (!subject.ok) return subject;
  const userId = subject.value;
  const allowed = checkMover(options, principal, operation, userId);
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
  const reached = checkWalletOfKey(principal, command.value.wallet.id);
  if (!reached.ok) return reached;
  const exists = await options.users.check(userId);
  return exists.ok ? command : exists;
}

/** STAFF_OWN_WALLET, OPERATION_NOT_ALLOWED: by the caller's role, and by an API key's bounds. */
function checkMover(
  options: HandlerOptions,
  { role, userId, apiKey }: UserPrincipal,
  operation: Operation,
  ownerId: string,
): Result<void> {
  const field = { field: 'operation', operation };
  const isCustomer = role === 'customer';
  if (!isCustomer && ownerId === userId) {
    return asDenial(
      refuse(
        'STAFF_OWN_WALLET',
        'staff move no money on a wallet of their own: have a colleague do it',
      ),
    );
  }
  if (isCustomer && !options.selfServiceOperations.has(operation)) {
    const problem = `customers may not ${operation} here: ask the staff`;
    return asDenial(refuse('OPERATION_NOT_ALLOWED', problem, field));
  }
  const posted = apiKey?.operations ?? [];
  if (posted.length > 0 && !posted.includes(operation)) {
    const problem = `this API key is for ${posted.join(', ')} only, not for ${operation}`;
    return asDenial(refuse('OPERATION_NOT_ALLOWED', problem, { ...field, allowed: posted.join() }));
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
