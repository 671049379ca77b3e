import { isStorableTime } from '../../core/calendar.ts';
import { transactionIdOf, isUuid, walletIdOf } from '../../core/ids.ts';
import { currencyCodes, exponentOf } from '../../core/currencies.ts';
import { isUndo, type Operation } from '../../core/operations.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import {
  Operation as WireOperation,
  type CreateTransactionRequest,
  type CreateTransactionResponse,
  type GetBalanceRequest,
  type GetBalanceResponse,
  type GetTransactionRequest,
  type GetTransactionResponse,
  type ListTransactionsRequest,
  type ListTransactionsResponse,
  type ListWalletsRequest,
  type ListWalletsResponse,
  type TransactionItem,
  type WalletServiceServer,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { resolveSubject, type Principal } from '../platform/access.ts';
import type { Db } from '../platform/db.ts';
import type { CallContext, Handlers } from '../platform/grpc/server.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
} from '../platform/page-token.ts';
import { decideOnly, type Posted } from './commit.ts';
import { newWallet, type Command, type Entry, type WalletRef } from './domain.ts';
import type { GroupCommit } from './group-commit.ts';
import { refOf, toCommand } from './request.ts';
import * as reads from './store-reads.ts';
import * as store from './store.ts';
import type { KnownUsers } from './users.ts';
import { readOperation, toWireTransaction, toWireWallet } from './wire.ts';

export type HandlerOptions = {
  readonly db: Db;
  readonly groupCommit: GroupCommit<Command, Posted>;
  readonly users: KnownUsers;
  readonly defaultCurrency: string;
  /** What customers may do by themselves. */
  readonly selfServiceOperations: ReadonlySet<Operation>;
};

const defaultPageSize = 50;
const maxPageSize = 1_000;

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

async function getTransaction(
  options: HandlerOptions,
  request: GetTransactionRequest,
  { principal }: CallContext,
): Promise<Result<GetTransactionResponse>> {
  const isStaff = principal.kind === 'user' && principal.role !== 'customer';
  const { by } = request;
  if (by?.$case === 'idempotencyKey') {
    const ref = readRef(options, request, principal);
    if (!ref.ok) return ref;
    const id = transactionIdOf(ref.value.id, isStaff ? 'staff' : 'customer', by.value);
    return findTransaction(options, id, ref.value.userId, 'this idempotency key');
  }
  if (!by || !isUuid(by.value)) {
    return refuse('INVALID_ARGUMENT', 'transaction_id must be a UUID in lower case', {
      field: 'transaction_id',
    });
  }
  // Staff may look up any transaction by its id; naming the user narrows it.
  if (isStaff && request.userId === '') {
    return findTransaction(options, by.value, undefined, `the id ${by.value}`);
  }
  const subject = resolveSubject(principal, request.userId);
  if (!subject.ok) return subject;
  return findTransaction(options, by.value, subject.value, `the id ${by.value}`);
}

async function findTransaction(
  { db }: HandlerOptions,
  id: string,
  userId: string | undefined,
  what: string,
): Promise<Result<GetTransactionResponse>> {
  const entry = await db.read((tx) => reads.findEntry(tx, id, userId));
  return entry
    ? succeed({ transaction: toWireTransaction(entry) })
    : refuse('TRANSACTION_NOT_FOUND', `there is no transaction with ${what}`, {
        transactionId: id,
      });
}

async function listTransactions(
  options: HandlerOptions,
  request: ListTransactionsRequest,
  { principal }: CallContext,
): Promise<Result<ListTransactionsResponse>> {
  const ref = readRef(options, request, principal);
  if (!ref.ok) return ref;
  const operation = readOperation(request.operation);
  if (!operation && request.operation !== WireOperation.UNSPECIFIED) {
    return refuse('INVALID_ARGUMENT', 'operation is unknown', { field: 'operation' });
  }
  const query = [ref.value.id, request.ascending, request.operation];
  const cursor = decodePageToken(query, request.pageToken, { seq: cursorParts.seq });
  if (!cursor.ok) return cursor;
  const size = pageSizeOf(request.pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  const start = request.ascending ? 0n : 2n ** 63n - 1n;
  const found = await options.db.read((tx) =>
    reads.listEntries(tx, ref.value, {
      isAscending: request.ascending,
      afterSeq: BigInt(cursor.value?.['seq'] ?? start),
      operation,
      limit: size.value + 1,
    }),
  );
  const page = found.slice(0, size.value);
  const last: Entry | undefined = found.length > size.value ? page.at(-1) : undefined;
  return succeed({
    transactions: page.map(toWireTransaction),
    nextPageToken: last ? encodePageToken(query, { seq: last.seq.toString() }) : '',
  });
}

async function getBalance(
  options: HandlerOptions,
  request: GetBalanceRequest,
  { principal }: CallContext,
): Promise<Result<GetBalanceResponse>> {
  const ref = readRef(options, request, principal);
  if (!ref.ok) return ref;
  const exists = await options.users.check(ref.value.userId);
  if (!exists.ok) return exists;
  const { at } = request;
  if (at && !isStorableTime(at.getTime())) {
    return refuse('INVALID_ARGUMENT', 'at must be a time in the years 1 to 9999', { field: 'at' });
  }
  return options.db.snapshot(async (tx) => {
    const nowMs = await store.readClock(tx);
    const [current = newWallet(ref.value)] = await store.readWallets(tx, [ref.value], false);
    const wallet = at ? await reads.readWalletAt(tx, current, at.getTime()) : current;
    return succeed({ wallet: toWireWallet(wallet), asOf: at ?? new Date(nowMs) });
  });
}

async function listWallets(
  options: HandlerOptions,
  request: ListWalletsRequest,
  { principal }: CallContext,
): Promise<Result<ListWalletsResponse>> {
  const size = pageSizeOf(request.pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  const cursor = decodePageToken([request.userId], request.pageToken, { id: cursorParts.id });
  if (!cursor.ok) return cursor;
  const isStaff = principal.kind === 'user' && principal.role !== 'customer';
  if (isStaff && request.userId === '') {
    const after = cursor.value?.['id'] ?? '00000000-0000-0000-0000-000000000000';
    const found = await options.db.read((tx) => reads.listWallets(tx, after, size.value + 1));
    const page = found.slice(0, size.value);
    const last = found.length > size.value ? page.at(-1) : undefined;
    const nextPageToken = last ? encodePageToken([request.userId], { id: last.id }) : '';
    return succeed({ wallets: page.map(toWireWallet), nextPageToken });
  }
  const subject = resolveSubject(principal, request.userId);
  if (!subject.ok) return subject;
  const exists = await options.users.check(subject.value);
  if (!exists.ok) return exists;
  // A user's wallets are known by their ids, one per currency: no index on the user is needed.
  const refs = currencyCodes.map((currency) => ({
    id: walletIdOf(subject.value, currency),
    userId: subject.value,
    currency,
    exponent: exponentOf(currency),
  }));
  const wallets = await options.db.read((tx) => store.readWallets(tx, refs, false));
  wallets.sort((a, b) => (a.currency < b.currency ? -1 : 1));
  return succeed({ wallets: wallets.map(toWireWallet), nextPageToken: '' });
}

function readRef(
  options: HandlerOptions,
  request: { readonly userId: string; readonly currency: string },
  principal: Principal,
): Result<WalletRef> {
  const subject = resolveSubject(principal, request.userId);
  if (!subject.ok) return subject;
  return refOf(subject.value, request.currency || options.defaultCurrency);
}
