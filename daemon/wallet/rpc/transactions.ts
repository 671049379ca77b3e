import { isUuid, transactionIdOf } from '../../../core/ids.ts';
import { operationOfWireNumber } from '../../../core/operations.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { canonicalText } from '../../../core/text.ts';
import { isStorableTime } from '../../../core/time/calendar.ts';
import {
  Operation as WireOperation,
  type GetTransactionRequest,
  type GetTransactionResponse,
  type ListTransactionsRequest,
  type ListTransactionsResponse,
  type Transaction,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  asDenial,
  checkWalletOfKey,
  resolveSubject,
  type Principal,
} from '../../platform/access/access.ts';
import type { Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { readIdPrefix } from '../../platform/id-prefix.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
  takePage,
  textBytes,
} from '../../platform/page-token.ts';
import { usedKey, type Entry, type States, type WalletRef } from '../domain.ts';
import * as reads from '../store/reads.ts';
import { readUsed, readWallets } from '../store/store.ts';
import { toWireTransaction } from '../wire.ts';
import { readRef, type ReadOptions } from './reads.ts';

const defaultPageSize = 50;
const maxPageSize = 1_000;

/** One transaction, by its id or by the caller's idempotency key. */
export async function getTransaction(
  options: ReadOptions,
  request: GetTransactionRequest,
  { principal }: CallContext,
): Promise<Result<GetTransactionResponse>> {
  const isStaff = principal.kind === 'user' && principal.role !== 'customer';
  const { by } = request;
  if (by?.$case === 'idempotencyKey') {
    const ref = readRef(options, request, principal);
    if (!ref.ok) return ref;
    const callerClass = isStaff ? 'staff' : 'customer';
    const id = transactionIdOf(ref.value.id, callerClass, canonicalText(by.value));
    return findTransaction(options, principal, id, ref.value.userId, 'this idempotency key');
  }
  if (!by || !isUuid(by.value)) {
    return refuse('INVALID_ARGUMENT', 'transaction_id must be a UUID in lower case', {
      field: 'transaction_id',
    });
  }
  // Staff may look up any transaction by its id; naming the user narrows it.
  if (isStaff && request.userId === '') {
    return findTransaction(options, principal, by.value, undefined, `the id ${by.value}`);
  }
  const subject = resolveSubject(principal, request.userId);
  if (!subject.ok) return subject;
  return findTransaction(options, principal, by.value, subject.value, `the id ${by.value}`);
}

async function findTransaction(
  { db }: ReadOptions,
  principal: Principal,
  id: string,
  userId: string | undefined,
  what: string,
): Promise<Result<GetTransactionResponse>> {
  const { sides, used } = await db.read(async (tx) => {
    const found = await reads.findSides(tx, id, userId);
    return { sides: found, used: await readUsedOf(tx, found) };
  });
  const absent = refuse('TRANSACTION_NOT_FOUND', `there is no transaction with ${what}`, {
    transactionId: id,
  });
  if (sides.length === 0) return absent;
  // On a wallet that the API key is not for: answered as absent, and recorded in the audit log.
  const reached = sides.filter(({ wallet }) => checkWalletOfKey(principal, wallet.id).ok);
  const [transaction, ...related] = reached.map((entry) => toListed(entry, used));
  return transaction ? succeed({ transaction, related }) : asDenial(absent);
}

/** How much of these was undone. */
const readUsedOf = (tx: Tx, entries: readonly Entry[]): Promise<States['used']> =>
  readUsed(
    tx,
    entries.map(({ id, wallet }) => ({ id, walletId: wallet.id })),
  );

/** A transaction as it is shown on request, with what of it was undone: of a hold nothing is. */
const toListed = (entry: Entry, used: States['used']): Transaction => ({
  ...toWireTransaction(entry),
  undoneMinor:
    entry.operation === 'hold' ? undefined : used.get(usedKey(entry.wallet.id, entry.id)),
});

/** A page of a wallet's transactions. */
export async function listTransactions(
  options: ReadOptions,
  request: ListTransactionsRequest,
  { principal }: CallContext,
): Promise<Result<ListTransactionsResponse>> {
  const ref = readRef(options, request, principal);
  if (!ref.ok) return ref;
  const operation = operationOfWireNumber(request.operation);
  if (!operation && request.operation !== WireOperation.UNSPECIFIED) {
    return refuse('INVALID_ARGUMENT', 'operation is unknown', { field: 'operation' });
  }
  const ids = readIdPrefix(request.idPrefix);
  if (!ids.ok) return ids;
  const period = readPeriod(request);
  if (!period.ok) return period;
  const { fromMs, toMs } = period.value;
  const filter = [request.operation, request.idPrefix, fromMs, toMs, request.undone];
  const query = [ref.value.id, request.ascending, ...filter].map((value) => value ?? null);
  const cursor = decodePageToken(query, request.pageToken, { seq: cursorParts.seq });
  if (!cursor.ok) return cursor;
  const size = pageSizeOf(request.pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  const seq = cursor.value?.['seq'];
  const { found, used } = await options.db.read(async (tx) => {
    const span = await findSpan(tx, ref.value, period.value);
    if (seq !== undefined) span[request.ascending ? 'afterSeq' : 'beforeSeq'] = BigInt(seq);
    const entries = await reads.listEntries(tx, ref.value, {
      isAscending: request.ascending,
      ...span,
      operation,
      isUndone: request.undone,
      ids: ids.value,
      limit: size.value + 1,
    });
    return { found: entries, used: await readUsedOf(tx, entries) };
  });
  const { page, last } = takePage(found, size.value, bytesOf);
  return succeed({
    transactions: page.map((entry) => toListed(entry, used)),
    nextPageToken: last ? encodePageToken(query, { seq: last.seq.toString() }) : '',
  });
}

type Period = { readonly fromMs: number | undefined; readonly toMs: number | undefined };

function readPeriod({ from, to }: ListTransactionsRequest): Result<Period> {
  for (const [field, time] of Object.entries({ from, to })) {
    if (!time || isStorableTime(time.getTime())) continue;
    return refuse('INVALID_ARGUMENT', `${field} must be a time in the years 1 to 9999`, { field });
  }
  const [fromMs, toMs] = [from?.getTime(), to?.getTime()];
  return fromMs !== undefined && toMs !== undefined && fromMs > toMs
    ? refuse('INVALID_ARGUMENT', 'from must not be after to', { field: 'from' })
    : succeed({ fromMs, toMs });
}

const noEnd = 2n ** 63n - 1n;

/** The seqs between which a wallet's entries of a period lie: times grow with them. */
async function findSpan(tx: Tx, wallet: WalletRef, { fromMs, toMs }: Period) {
  const span = { afterSeq: 0n, beforeSeq: noEnd };
  if (fromMs === undefined && toMs === undefined) return span;
  const [known] = await readWallets(tx, [wallet], 'none');
  if (!known) return span;
  const lastBefore = async (ms: number): Promise<bigint> =>
    isStorableTime(ms - 1) ? (await reads.readWalletAt(tx, known, ms - 1)).seq : 0n;
  if (fromMs !== undefined) span.afterSeq = await lastBefore(fromMs);
  // Its last entry at the moment of reading: later ones belong to a period that is not over.
  if (toMs !== undefined) {
    const last = await lastBefore(toMs);
    if (last < known.seq) span.beforeSeq = last + 1n;
  }
  return span;
}

function bytesOf({ description, contraAccount, actor, metadata }: Entry): number {
  const texts = [description, contraAccount, actor, ...Object.entries(metadata).flat()];
  return texts.reduce((bytes, text) => bytes + textBytes(text), 400 + 16 * texts.length);
}
