import { contentTypeOf } from '../../../core/statement-format/index.ts';
import { nameFormat } from '../../../lib/json/exports.ts';
import {
  DownloadExportRequest,
  ExportStatus,
  GetExportRequest,
  StatementServiceService as statement,
  type DownloadExportResponse,
  type Export,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import { isUnchanged, readRange, type ByteRange } from '../http/conditional.ts';
import { fault } from '../http/problems.ts';
import { explainCut, type Answer, type RouteInput } from '../http/route.ts';
import { nameStatementFile } from './statement-text.ts';

/** What a download may take: a client that is slower goes on with `Range`. */
const downloadTimeoutMs = 3_600_000;

type Input = Pick<
  RouteInput<unknown, unknown, unknown>,
  'call' | 'callers' | 'callOptions' | 'headers'
>;

/** The file of an export, or the part of it that the headers ask for (RFC 9110, 13 and 14). */
export async function answerFile(exportId: string, input: Input): Promise<Answer> {
  const { call, headers } = input;
  const request = GetExportRequest.fromPartial({ exportId });
  const got = await call('statement', statement.getExport, request);
  if (!got.ok) return got;
  const { export: made } = got.value;
  if (!made) throw new Error('the answer has no export');
  if (made.status !== ExportStatus.DONE) {
    // The service says why there is no file, unless it has been written meanwhile.
    const refused = await answerPart(made, { start: 0, end: 0 }, {}, input);
    return refused.ok ? answerFile(exportId, input) : refused;
  }
  const size = Number(made.bytes ?? 0n);
  const etag = `"${made.sha256 ?? ''}"`;
  if (isUnchanged(headers['if-none-match'], etag)) {
    return { ok: true, status: 304, headers: { etag } };
  }
  const ifRange = headers['if-range'];
  const isOfSame = ifRange === undefined || ifRange.trim() === etag;
  const range = isOfSame ? readRange(headers['range'], size) : undefined;
  if (range === 'unsatisfiable') {
    const message = `the file has ${size} bytes, and none of those that the header Range asks for`;
    return {
      ok: false,
      fault: fault('RANGE_NOT_SATISFIABLE', message, { field: 'Range', bytes: String(size) }),
      headers: { 'content-range': `bytes */${size}` },
    };
  }
  const { start, end } = range ?? { start: 0, end: size };
  const format = nameFormat(made.format) ?? 'csv';
  const own = {
    etag,
    'content-type': contentTypeOf(format),
    'content-disposition': `attachment; filename="${nameStatementFile(format, made)}"`,
    'accept-ranges': 'bytes',
    'content-length': String(end - start),
    ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${size}` } : {}),
  };
  return answerPart(made, { start, end }, own, input);
}

/**
 * The bytes as they come. The first are awaited: until then a refusal can be answered; after that
 * the connection is cut, and the client sees that its file is not whole.
 */
async function answerPart(
  { id: exportId }: Export,
  { start, end }: ByteRange,
  headers: Readonly<Record<string, string>>,
  { callers, callOptions }: Input,
): Promise<Answer> {
  const request = DownloadExportRequest.fromPartial({ exportId, offset: BigInt(start) });
  const deadlineMs = performance.now() + downloadTimeoutMs;
  const options = { ...callOptions, deadlineMs };
  const messages = callers.statement.stream(statement.downloadExport, request, options);
  const iterator = messages[Symbol.asyncIterator]();
  // A client that leaves before the first byte is read has no one to end the call.
  const { signal } = callOptions;
  signal?.addEventListener('abort', () => void iterator.return?.(), { once: true });
  try {
    const first = await iterator.next();
    const status = 'content-range' in headers ? 206 : 200;
    return { ok: true, status, headers, stream: cutBytes(iterator, first, end - start) };
  } catch (err) {
    const rejection = findTransientRejection(err);
    if (!rejection) throw err;
    return { ok: false, fault: explainCut(rejection, signal) };
  }
}

/** So many bytes, and no more. Ends the call when it is left. */
async function* cutBytes(
  messages: AsyncIterator<DownloadExportResponse>,
  first: IteratorResult<DownloadExportResponse>,
  length: number,
): AsyncGenerator<Uint8Array> {
  let left = length;
  try {
    for (let next = first; !next.done && left > 0; next = await messages.next()) {
      const part = next.value.data.subarray(0, left);
      left -= part.length;
      yield part;
    }
    if (left > 0) throw new Error(`the file ended ${left} bytes before its end`);
  } finally {
    await messages.return?.();
  }
}
