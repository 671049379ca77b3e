import { setTimeout as sleep } from 'node:timers/promises';

import { z } from 'zod';

import { exportFormatNumbers, toExportJson } from '../../../lib/json/exports.ts';
import {
  CreateExportRequest,
  ExportStatus,
  GetExportRequest,
  ListExportsRequest,
  StatementServiceService as statement,
  type Export,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { page, pageOf, user, uuid } from '../http/fields.ts';
import { readIdempotencyKey } from '../http/idempotency.ts';
import { readPage, toPage } from '../http/pages.ts';
import { found, type Found } from '../http/problems.ts';
import { answer, defineRoute, type Answer, type Route, type ServiceCall } from '../http/route.ts';
import { rangeOf } from '../http/times.ts';
import { answerFile } from './export-file.ts';
import { doneExample, exportRequestShape, exportShape, queuedExample } from './export-shapes.ts';

const tag = 'exports';

const params = z.strictObject({ id: uuid });

/** Seconds that a request may wait for an export. */
const maxWaitSeconds = 30;
const firstPauseMs = 100;
const maxPauseMs = 1_000;
/** Until a client asks again: the header `Retry-After`. */
const retryAfterSeconds = '2';

/** `/v1/exports` */
export const exportRoutes: readonly Route[] = [
  createRoute(),
  defineRoute({
    method: 'GET',
    path: '/v1/exports',
    tag,
    summary: 'List exports, newest first',
    description: 'Of the caller’s own wallets; for staff of all users, or of one.',
    credential: 'required',
    query: z.strictObject({ user, ...page }),
    answers: {
      200: {
        description: 'A page',
        schema: pageOf(exportShape),
        example: { items: [doneExample] },
        optionalHeaders: { Link: 'The next page, with rel="next"' },
      },
    },
    problems: ['PAGE_TOKEN_INVALID'],
    run: async ({ query, call }) => {
      const request = { userId: query.user ?? '', ...readPage(query) };
      const listed = await call(
        'statement',
        statement.listExports,
        ListExportsRequest.fromPartial(request),
      );
      if (!listed.ok) return listed;
      const items = listed.value.exports.map((made) => toExportJson({ made }));
      return toPage('/v1/exports', query, items, listed.value.nextPageToken);
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/exports/:id',
    tag,
    summary: 'Get an export, and wait until it is finished',
    credential: 'required',
    params,
    query: z.strictObject({
      wait: z.coerce
        .number('must be a whole number of seconds')
        .int()
        .min(0)
        .max(maxWaitSeconds, `must be at most ${maxWaitSeconds}`)
        .optional()
        .meta({ description: 'Seconds to wait until it is finished; default 0', example: 30 }),
    }),
    headers: { Prefer: { description: '`wait=SECONDS`, like the query', example: 'wait=30' } },
    answers: {
      200: {
        description: 'Finished: `status` says how',
        schema: exportShape,
        example: doneExample,
      },
      202: {
        description: 'Queued or running: ask again',
        schema: exportShape,
        example: queuedExample,
        headers: { 'Retry-After': 'Seconds until another try' },
      },
    },
    problems: ['EXPORT_NOT_FOUND'],
    run: async ({ params: { id: exportId }, query, headers, call, signal }) => {
      const waitSeconds = query.wait ?? readPreferredWait(headers['prefer']);
      const got = await waitForExport(call, exportId, waitSeconds * 1_000, signal);
      return got.ok ? toAnswer(got.value) : got;
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/exports/:id/file',
    tag,
    summary: 'Download the file of an export',
    description: 'A download that was cut goes on with `Range` and `If-Range`.',
    credential: 'required',
    params,
    headers: {
      Range: { description: 'One range of bytes', example: 'bytes=1000-' },
      'If-Range': { description: 'The `ETag` that the range belongs to' },
      'If-None-Match': { description: 'The `ETag` of a file that the client has' },
    },
    answers: {
      200: { description: 'The file', contentTypes: fileTypes(), headers: fileHeaders() },
      206: {
        description: 'The part that was asked for',
        contentTypes: fileTypes(),
        headers: { ...fileHeaders(), 'Content-Range': '`bytes FIRST-LAST/SIZE`' },
      },
      304: { description: 'The client has it', headers: { ETag: 'The SHA-256 of the file' } },
    },
    problems: ['EXPORT_EXPIRED', 'EXPORT_NOT_FOUND', 'EXPORT_NOT_READY', 'RANGE_NOT_SATISFIABLE'],
    run: (input) => answerFile(input.params.id, input),
  }),
];

function createRoute(): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/exports',
    tag,
    summary: 'Write a statement to a file',
    description:
      'It is written in the background: `GET /v1/exports/{id}?wait=30` waits for it. The same ' +
      '`Idempotency-Key` again gives the same export with status 200.',
    credential: 'required',
    idempotency: 'optional',
    body: exportRequestShape,
    bodyExample: { currency: 'BRL', from: '2026-01-01', to: '2026-03-31', format: 'csv' },
    answers: {
      200: {
        description: 'It had been made before, or a dry run',
        schema: exportShape,
        example: queuedExample,
      },
      201: {
        description: 'Queued',
        schema: exportShape,
        example: queuedExample,
        headers: { Location: 'The path of the export' },
      },
    },
    problems: [
      ...(['CURRENCY_UNKNOWN', 'IDEMPOTENCY_KEY_REUSED', 'RANGE_TOO_LONG'] as const),
      ...(['USER_NOT_FOUND', 'USER_REQUIRED', 'WALLET_CORRUPT'] as const),
    ],
    run: async ({ body, headers, call }) => {
      const key = readIdempotencyKey(headers['idempotency-key']);
      if (!key.ok) return key;
      const range = rangeOf(body);
      if (!range.ok) return range;
      const { user: userId = '', format = 'csv', dryRun = false, ...others } = body;
      const request = CreateExportRequest.fromPartial({
        ...{ userId, dryRun, currency: others.currency ?? '', locale: others.locale ?? '' },
        ...range.value,
        format: exportFormatNumbers[format],
        email: others.email ?? false,
        byteOrderMark: others.byteOrderMark ?? false,
        includeHolds: others.holds,
        idempotencyKey: key.value ?? '',
      });
      const created = await call('statement', statement.createExport, request);
      if (!created.ok) return created;
      const { export: made, replayed } = created.value;
      if (!made) throw new Error('the answer has no export');
      return {
        ...answer(replayed || dryRun ? 200 : 201, toExportJson({ made, isDryRun: dryRun })),
        headers: {
          ...(replayed ? { 'idempotency-replayed': 'true' } : {}),
          ...(dryRun ? {} : { location: `/v1/exports/${made.id}` }),
        },
      };
    },
  });
}

const isUnfinished = ({ status }: Export): boolean =>
  status === ExportStatus.QUEUED || status === ExportStatus.RUNNING;

function toAnswer(made: Export): Answer {
  const json = toExportJson({ made });
  if (!isUnfinished(made)) return answer(200, json);
  return { ok: true, status: 202, body: json, headers: { 'retry-after': retryAfterSeconds } };
}

/** The seconds of `Prefer: wait=` (RFC 7240), at most as many as a request may wait. */
function readPreferredWait(header: string | undefined): number {
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])/i.exec(header ?? '')?.[1];
  return Math.min(Number(seconds ?? 0), maxWaitSeconds);
}

/**
 * The export once it is finished; as it is then after the time, or once the signal is aborted.
 */
async function waitForExport(
  call: ServiceCall,
  exportId: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<Found<Export>> {
  const endMs = performance.now() + waitMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 1.5, maxPauseMs)) {
    const got = await call(
      'statement',
      statement.getExport,
      GetExportRequest.fromPartial({ exportId }),
    );
    if (!got.ok) return got;
    const { export: made } = got.value;
    if (!made) throw new Error('the answer has no export');
    const leftMs = endMs - performance.now();
    if (!isUnfinished(made) || leftMs <= 0 || signal.aborted) return found(made);
    await sleep(Math.min(pauseMs, leftMs), undefined, { signal }).catch(() => undefined);
  }
}

function fileTypes(): readonly string[] {
  return ['text/csv', 'application/json', 'application/x-ndjson', 'text/plain'];
}

function fileHeaders(): Readonly<Record<string, string>> {
  return {
    ETag: 'The SHA-256 of the file',
    'Content-Disposition': 'The name of the file',
    'Accept-Ranges': '`bytes`',
  };
}
