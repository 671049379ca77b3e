import { isStorableTime } from '../../core/time/calendar.ts';
import { exponentOf } from '../../core/currencies.ts';
import { operationOfWireNumber } from '../../core/operations.ts';
import { refuse, succeed, type Rejection, type Result } from '../../core/reasons.ts';
import {
  StatementStatus,
  type GenerateStatementRequest,
  type GenerateStatementResponse,
  type StatementServiceServer,
} from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { auditRead } from '../platform/audit/reads.ts';
import type { CallContext, Handlers } from '../platform/grpc/calls.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
  takePage,
  textBytes,
} from '../platform/page-token.ts';
import {
  hasCarriableTotals,
  isInline,
  isOver,
  resolveRange,
  type Head,
  type Line,
  type Range,
} from './domain.ts';
import { createExport, readNow, resolveWallet } from './exports/create.ts';
import type { ExportHandlerOptions } from './exports/export-rpcs.ts';
import { toWireExport } from './exports/export-wire.ts';
import { generate, type Generated, type Wallet } from './pages/generate.ts';
import { createRunningTotals, type RunningTotals } from './pages/running-totals.ts';
import { readPage, type PageQuery } from './pages/read-page.ts';
import { toStatementLine } from './wire.ts';
import type { Finding } from './witness/lines.ts';
import type { Reporter } from './witness/record.ts';
import { findNextSeq } from './witness/store.ts';

const defaultPageSize = 500;
const maxPageSize = 1_000;

/** Wire to domain and back. */
export function createHandlers(options: ExportHandlerOptions): Handlers<StatementServiceServer> {
  const runningTotals = createRunningTotals(() => performance.now());
  return {
    generateStatement: auditRead(
      options.trail,
      (request, context) => generateStatement(options, runningTotals, request, context),
      ({ userId }, { statement }) => ({
        action: 'statement.generate',
        target: userId,
        details: {
          currency: statement?.currency ?? '',
          from: statement?.from?.toISOString() ?? '',
          to: statement?.to?.toISOString() ?? '',
        },
      }),
    ),
  };
}

async function generateStatement(
  options: ExportHandlerOptions,
  runningTotals: RunningTotals,
  request: GenerateStatementRequest,
  context: CallContext,
): Promise<Result<GenerateStatementResponse>> {
  const resolved = resolveWallet(options, request, context.principal);
  if (!resolved.ok) return resolved;
  const wallet = resolved.value;
  const { pageToken: _token, pageSize: _size, ...query } = request;
  const cursor = decodePageToken({ ...query, walletId: wallet.id }, request.pageToken, {
    seq: cursorParts.seq,
    through: cursorParts.seq,
    from: cursorParts.timeMs,
    to: cursorParts.timeMs,
  });
  if (!cursor.ok) return cursor;
  if (request.operations.some((wire) => !operationOfWireNumber(wire))) {
    return refuse('INVALID_ARGUMENT', 'operations has an unknown one', { field: 'operations' });
  }
  const size = pageSizeOf(request.pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  const asked = await askHead(options, wallet, request, cursor.value);
  const trouble = asked && !asked.ok ? asked.rejection : undefined;
  if (trouble && !isAboutWallet(trouble)) return { ok: false, rejection: trouble };
  const head = asked?.ok ? asked.value : undefined;
  const nowMs = await readNow(options.db, head);
  const range = readRange(request, cursor.value, nowMs, options.inlineDays);
  if (!range.ok) return range;
  if (!isInline(range.value, options.inlineDays)) return queueStatement(options, request, context);
  const pinned = cursor.value?.['through'];
  const throughSeq = pinned === undefined ? undefined : BigInt(pinned);
  const read = await generate(options.db, wallet, range.value, {
    ...{ peers: options.peers, reporter: options.reporter },
    head,
    throughSeq,
    runningTotals,
  });
  if (!hasCarriableTotals(read.extent)) {
    return refuse(
      'RANGE_TOO_LONG',
      'the totals of this range are too large: ask for a shorter one',
      {
        field: 'from',
      },
    );
  }
  const pageQuery = readPageQuery(request, cursor.value, size.value);
  const page = await readPage(options.db, wallet, read, pageQuery);
  const { page: shown, last } = takePage(page.lines, size.value, bytesOf);
  const nextSeq = last?.seq ?? page.nextSeq;
  const altered = await withAltered(options.reporter, wallet, read, page.found);
  const generated = trouble?.reason === 'WALLET_CORRUPT' ? withCorrupt(altered, trouble) : altered;
  const next = nextSeq && {
    seq: nextSeq.toString(),
    through: generated.extent.closingSeq.toString(),
    from: String(range.value.fromMs),
    to: String(range.value.toMs),
  };
  return succeed({
    status: statusOf(generated, isOver(range.value, head)),
    export: undefined,
    nextPageToken: next ? encodePageToken({ ...query, walletId: wallet.id }, next) : '',
    statement: {
      ...toStatement(wallet, range.value, generated),
      ...(pageQuery.hasHolds ? toHeldBalances(generated) : noHeldBalances),
      lines: shown.map((line) => toStatementLine(line, pageQuery.hasHolds)),
    },
  });
}

/**
 * Asks for the head, and with it for the hash of the line after the range, which is then compared.
 * Undefined if the ledger cannot be asked.
 */
async function askHead(
  { db, peers }: ExportHandlerOptions,
  wallet: Wallet,
  { to }: GenerateStatementRequest,
  cursor: Readonly<Record<string, string>> | undefined,
): Promise<Result<Head> | undefined> {
  const toMs = cursor ? Number(cursor['to']) : to?.getTime();
  const through = cursor?.['through'];
  const throughSeq = through === undefined ? undefined : BigInt(through);
  const nextSeq =
    toMs === undefined || !isStorableTime(toMs)
      ? undefined
      : await db.read((tx) => findNextSeq(tx, wallet.id, toMs, throughSeq));
  return peers.readHead(wallet.userId, wallet.currency, nextSeq).catch(() => undefined);
}

/** What contradicts the ledger is that also where the period is not over. */
function statusOf({ completeness }: Generated, isPast: boolean): StatementStatus {
  if (completeness.isComplete && isPast) return StatementStatus.COMPLETE;
  return completeness.isComplete || completeness.inconsistency === undefined
    ? StatementStatus.INCOMPLETE
    : StatementStatus.INCONSISTENT;
}

/**
 * A line of a page that is not what its hash says, or is missing, makes the statement inconsistent.
 */
async function withAltered(
  reporter: Reporter,
  wallet: Wallet,
  generated: Generated,
  altered: Finding | undefined,
): Promise<Generated> {
  if (!altered) return generated;
  const inconsistency = await reporter.report(wallet.id, altered);
  return { ...generated, completeness: { isComplete: false, behindBy: undefined, inconsistency } };
}

/** What the ledger refuses for this wallet alone: the lines can be shown all the same. */
const isAboutWallet = ({ reason }: Rejection): boolean =>
  reason === 'WALLET_CORRUPT' || reason === 'WALLET_BUSY';

/**
 * A wallet that contradicts its last transaction in the ledger has no statement that is known to be
 * true.
 */
function withCorrupt(generated: Generated, { message }: Rejection): Generated {
  const { completeness } = generated;
  const known = completeness.isComplete ? undefined : completeness.inconsistency;
  const inconsistency = known ?? `in the ledger ${message}`;
  return { ...generated, completeness: { isComplete: false, behindBy: undefined, inconsistency } };
}

/** A range that is not answered at once becomes an export, or the one that this made before. */
async function queueStatement(
  options: ExportHandlerOptions,
  request: GenerateStatementRequest,
  context: CallContext,
): Promise<Result<GenerateStatementResponse>> {
  const { inlineDays } = options;
  if (request.operations.length > 0) {
    return refuse(
      'RANGE_TOO_LONG',
      `a statement of some operations only covers at most ${inlineDays} days`,
      { field: 'to', days: String(inlineDays) },
    );
  }
  const { userId, currency, timezone } = request;
  const asked = {
    ...{ userId, currency, timezone },
    fromMs: request.from?.getTime(),
    toMs: request.to?.getTime(),
    ...{ locale: '', format: 'csv' as const, shallMail: false, hasByteOrderMark: false },
    ...{ idempotencyKey: '', isDryRun: false, canReuse: true },
    hasHolds: request.includeHolds === true,
  };
  const created = await createExport(options, asked, context);
  if (!created.ok) return created;
  return succeed({
    status: StatementStatus.QUEUED,
    statement: undefined,
    export: toWireExport(created.value.made),
    nextPageToken: '',
  });
}

/** A later page keeps the times that the first one resolved. */
function readRange(
  request: GenerateStatementRequest,
  cursor: Readonly<Record<string, string>> | undefined,
  nowMs: number,
  inlineDays: number,
): Result<Range> {
  const { timezone } = request;
  const fromMs = cursor ? Number(cursor['from']) : request.from?.getTime();
  const toMs = cursor ? Number(cursor['to']) : request.to?.getTime();
  return resolveRange({ fromMs, toMs, timezone }, nowMs, inlineDays);
}

/** What of a request says which page is wanted. */
function readPageQuery(
  request: GenerateStatementRequest,
  cursor: Readonly<Record<string, string>> | undefined,
  size: number,
): PageQuery {
  const seq = cursor?.['seq'];
  return {
    size,
    fromSeq: seq === undefined ? undefined : BigInt(seq),
    operations: request.operations.flatMap((wire) => operationOfWireNumber(wire) ?? []),
    isDescending: request.descending,
    hasHolds: request.includeHolds === true,
  };
}

const noHeldBalances = { heldClosingMinor: undefined, availableClosingMinor: undefined };

function toHeldBalances({ extent: { closingMinor, heldClosingMinor } }: Generated) {
  return { heldClosingMinor, availableClosingMinor: closingMinor - heldClosingMinor };
}

const bytesOf = ({ description, contraAccount }: Line): number =>
  400 + textBytes(description) + textBytes(contraAccount);

function toStatement(wallet: Wallet, range: Range, { extent, completeness }: Generated) {
  return {
    walletId: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    exponent: exponentOf(wallet.currency),
    from: new Date(range.fromMs),
    to: new Date(range.toMs),
    timezone: range.timezone,
    openingMinor: extent.openingMinor,
    totalDebitMinor: extent.totalDebitMinor,
    totalCreditMinor: extent.totalCreditMinor,
    closingMinor: extent.closingMinor,
    behindBy: completeness.isComplete ? 0n : completeness.behindBy,
    inconsistency: (!completeness.isComplete && completeness.inconsistency) || '',
  };
}
