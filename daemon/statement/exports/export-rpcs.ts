import { isUuid, uuidV5 } from '../../../core/ids.ts';
import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import type {
  CreateExportRequest,
  CreateExportResponse,
  DownloadExportRequest,
  DownloadExportResponse,
  GetExportRequest,
  GetExportResponse,
  ListExportsRequest,
  ListExportsResponse,
  StatementServiceServer,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { checkWalletOfKey, resolveSubject, type Principal } from '../../platform/access/access.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import type { CallContext, Handlers } from '../../platform/grpc/calls.ts';
import { createTransientRejection } from '../../platform/transient-rejection.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
  takePage,
  textBytes,
} from '../../platform/page-token.ts';
import { readIdPrefix } from '../../platform/id-prefix.ts';
import { createExport, type CreateOptions } from './create.ts';
import type { Export } from './export-domain.ts';
import { readFile } from './read-file.ts';
import * as store from './export-store.ts';
import { readFormat, toWireExport } from './export-wire.ts';

export type ExportHandlerOptions = CreateOptions & { readonly trail: AuditTrail };

const defaultPageSize = 50;
const maxPageSize = 500;
/**
 * Bytes of a file in one message, which with its head has less than 64 KiB: above, the encoder
 * takes twice that.
 */
const messageBytes = 60 * 1024;

/** Exports: who may see which, and the wire. */
export function createExportHandlers(
  options: ExportHandlerOptions,
): Handlers<StatementServiceServer> {
  return {
    createExport: (request, context) => create(options, request, context),
    getExport: (request, context) => get(options, request, context),
    listExports: (request, context) => list(options, request, context),
    downloadExport: (request, context) => download(options, request, context),
  };
}

async function create(
  options: ExportHandlerOptions,
  request: CreateExportRequest,
  context: CallContext,
): Promise<Result<CreateExportResponse>> {
  const asked = {
    userId: request.userId,
    currency: request.currency,
    fromMs: request.from?.getTime(),
    toMs: request.to?.getTime(),
    timezone: request.timezone,
    locale: request.locale,
    format: readFormat(request.format),
    shallMail: request.email,
    hasByteOrderMark: request.byteOrderMark,
    hasHolds: request.includeHolds === true,
    idempotencyKey: request.idempotencyKey,
    isDryRun: request.dryRun,
    canReuse: false,
  };
  const created = await createExport(options, asked, context);
  if (!created.ok) return created;
  const { made, isReplayed } = created.value;
  return succeed({ export: toWireExport(made), replayed: isReplayed });
}

async function get(
  options: ExportHandlerOptions,
  { exportId }: GetExportRequest,
  context: CallContext,
): Promise<Result<GetExportResponse>> {
  // A client that waits for a file polls this call: its lookup is recorded only once.
  const found = await findVisible(options, exportId, context, 'export.get', true);
  return found.ok ? succeed({ export: toWireExport(found.value) }) : found;
}

/**
 * Customers see all exports of their own wallets, of any requester; staff see all exports. A former
 * member of staff no longer sees an export of another user's wallet. An export that the caller may
 * not see is answered like an absent one.
 */
async function findVisible(
  { db, trail }: ExportHandlerOptions,
  exportId: string,
  context: CallContext,
  action: string,
  isRecordedOnce = false,
): Promise<Result<Export>> {
  const notFound = refuse('EXPORT_NOT_FOUND', `there is no export ${exportId}`, { exportId });
  if (!isUuid(exportId)) return notFound;
  const { principal } = context;
  const made = await db.read((tx) => store.findExport(tx, exportId));
  if (!made) return notFound;
  if (!isVisible(made, principal)) {
    return { ok: false, rejection: { ...notFound.rejection, isDenial: true } };
  }
  const id = isRecordedOnce ? onceIdOf(context, action, made.id) : undefined;
  await recordForeign(trail, context, action, made, id);
  return succeed(made);
}

function isVisible(made: Export, principal: Principal): boolean {
  if (principal.kind !== 'user') return false;
  if (!checkWalletOfKey(principal, made.walletId).ok) return false;
  return principal.role !== 'customer' || made.userId === principal.userId;
}

/** What staff do with other people's statements is on record before they get it. */
async function recordForeign(
  trail: AuditTrail,
  context: CallContext,
  action: string,
  { id: target, userId }: { readonly id: string; readonly userId: string },
  id?: string,
): Promise<void> {
  const { principal } = context;
  if (principal.kind === 'user' && principal.userId === userId) return;
  await trail.record(context, { action, target, result: 'ok', details: { userId } }, id);
}

/** Namespace of the lines that are kept once for each actor and target: a fixed random UUID. */
const onceNamespace = '3b1f7f0e-58c4-4b0c-8d0e-0a6d5a1c9f27';

/** One for each person, or API key of theirs. */
function onceIdOf({ principal }: CallContext, action: string, target: string): string {
  const who = principal.kind === 'user' ? (principal.apiKey?.keyId ?? principal.userId) : '';
  return uuidV5(onceNamespace, [who, action, target].join(':'));
}

async function list(
  options: ExportHandlerOptions,
  request: ListExportsRequest,
  context: CallContext,
): Promise<Result<ListExportsResponse>> {
  const { principal } = context;
  const isStaff = principal.kind === 'user' && principal.role !== 'customer';
  const isOfAll = isStaff && request.userId === '';
  const subject = isOfAll ? succeed(undefined) : resolveSubject(principal, request.userId);
  if (!subject.ok) return subject;
  const userId = subject.value;
  const walletId = principal.kind === 'user' ? principal.apiKey?.walletId : undefined;
  const ids = readIdPrefix(request.idPrefix);
  if (!ids.ok) return ids;
  const query = ['exports', userId, walletId, request.idPrefix];
  const cursor = decodePageToken(query, request.pageToken, {
    createdAt: cursorParts.timeMs,
    id: cursorParts.id,
  });
  if (!cursor.ok) return cursor;
  const size = pageSizeOf(request.pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  const before = {
    createdAtMs: Number(cursor.value?.['createdAt'] ?? farAwayMs),
    id: cursor.value?.['id'] ?? lastId,
  };
  const found = await options.db.read((tx) =>
    store.listExports(tx, { userId, walletId, ids: ids.value }, before, size.value + 1),
  );
  const { page, last } = takePage(found, size.value, bytesOf);
  await recordForeign(options.trail, context, 'export.list', {
    id: userId ?? 'all',
    userId: userId ?? '',
  });
  return succeed({
    exports: page.map(toWireExport),
    nextPageToken: last
      ? encodePageToken(query, { createdAt: String(last.createdAtMs), id: last.id })
      : '',
  });
}

const bytesOf = ({ failure, mailFailure }: Export): number =>
  600 + textBytes(failure) + textBytes(mailFailure);

const farAwayMs = Date.parse('9999-01-01T00:00:00Z');
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

async function download(
  options: ExportHandlerOptions,
  { exportId, offset }: DownloadExportRequest,
  context: CallContext,
): Promise<Result<AsyncIterable<DownloadExportResponse>>> {
  const found = await findVisible(options, exportId, context, 'export.download');
  if (!found.ok) return found;
  const made = found.value;
  const { status, byteCount = 0n } = made;
  if (status === 'expired') return { ok: false, rejection: expired(exportId) };
  if (status !== 'done') {
    const message =
      status === 'inconsistent'
        ? `export ${exportId} is inconsistent: ${made.failure ?? ''}`
        : status === 'failed'
          ? `export ${exportId} has failed: ${made.failure ?? 'for no reason known'}; make another`
          : `export ${exportId} is not written yet: wait for it`;
    return refuse('EXPORT_NOT_READY', message, { exportId, status });
  }
  if (offset < 0n || offset > byteCount) {
    const message = `offset must be from 0 to ${byteCount}, the size of the file`;
    return refuse('INVALID_ARGUMENT', message, { field: 'offset', bytes: byteCount.toString() });
  }
  return succeed(sendFile(options, made, offset));
}

async function* sendFile(
  { db }: ExportHandlerOptions,
  made: Export,
  offset: bigint,
): AsyncGenerator<DownloadExportResponse, void> {
  let sent = offset;
  for await (const chunk of readFile(db, made, offset)) {
    for (let start = 0; start < chunk.length; start += messageBytes) {
      yield { data: chunk.subarray(start, start + messageBytes) };
    }
    sent += BigInt(chunk.length);
  }
  // Its time came while it was being sent.
  if (sent !== made.byteCount) throw createTransientRejection(expired(made.id));
}

const expired = (exportId: string): Rejection =>
  refuse('EXPORT_EXPIRED', `the file of export ${exportId} has been deleted: export again`, {
    exportId,
  }).rejection;
