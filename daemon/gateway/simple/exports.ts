import { z } from 'zod';

import { canonicalId } from '../../../core/ids.ts';
import { contentTypeOf, statementFileName } from '../../../core/statement-format/index.ts';
import { nameFormat, toExportJson } from '../../../lib/json/exports.ts';
import {
  DownloadExportRequest,
  GetExportRequest,
  StatementServiceService as statements,
  type Export,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import { uuid } from '../http/fields.ts';
import { found, type Found } from '../http/problems.ts';
import {
  answer,
  defineRoute,
  explainCut,
  type Route,
  type RouteInput,
  type ServiceCall,
} from '../http/route.ts';
import { present } from '../routes/account-shapes.ts';
import { simpleStatuses } from './problems.ts';

const tag = 'simple API';

/** docs/cli.md, "JSON": an export; only what every one has is named here. */
export const exported = z.looseObject({ id: uuid, status: z.string() });

const exportExample = { id: '2f9f5b0e-6c1d-4e0a-9a38-7b1f5d0c4e21', status: 'queued' };
const params = z.strictObject({ id: uuid });

/** `/statement/exports` */
export const simpleExportRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path: '/statement/exports/:id',
    tag,
    summary: 'Get an export',
    credential: 'required',
    params,
    answers: {
      200: {
        description: 'The export; its file is there once `status` is `done`',
        schema: z.object({ status: z.literal(200), export: exported }),
        example: { status: 200, export: { ...exportExample, status: 'done' } },
      },
    },
    problems: ['EXPORT_NOT_FOUND'],
    problemStatuses: simpleStatuses,
    run: async ({ params: { id }, call }) => {
      const got = await getExport(call, id);
      return got.ok ? answer(200, { status: 200, export: toExportJson({ made: got.value }) }) : got;
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/statement/exports/:id/file',
    tag,
    summary: 'Download the file of an export',
    credential: 'required',
    params,
    answers: {
      200: { description: 'The file', contentTypes: ['text/csv', 'application/json'] },
    },
    problems: ['EXPORT_EXPIRED', 'EXPORT_NOT_FOUND', 'EXPORT_NOT_READY'],
    problemStatuses: simpleStatuses,
    run: download,
  }),
];

async function getExport(call: ServiceCall, id: string): Promise<Found<Export>> {
  const request = GetExportRequest.fromPartial({ exportId: canonicalId(id) });
  const got = await call('statement', statements.getExport, request);
  return got.ok ? found(present(got.value.export, 'export')) : got;
}

async function download({
  params: { id },
  call,
  callers,
  callOptions,
}: RouteInput<{ readonly id: string }, unknown, unknown>): ReturnType<Route['run']> {
  const got = await getExport(call, id);
  if (!got.ok) return got;
  const made = got.value;
  // The time limit of a call is none for a file; the client may leave at any time.
  const { deadlineMs: _unused, ...options } = callOptions;
  const request = DownloadExportRequest.fromPartial({ exportId: made.id, offset: 0n });
  const chunks = callers.statement
    .stream(statements.downloadExport, request, options)
    [Symbol.asyncIterator]();
  // A refusal comes in place of the first chunk.
  const first = await chunks.next().catch((err: unknown) => {
    const rejection = findTransientRejection(err);
    if (!rejection) throw err;
    return rejection;
  });
  if ('reason' in first) return { ok: false, fault: explainCut(first, options.signal) };
  const format = nameFormat(made.format) ?? 'csv';
  const range = { fromMs: made.from?.getTime() ?? 0, toMs: made.to?.getTime() ?? 0 };
  const name = statementFileName(format, { currency: made.currency, ...range });
  return {
    ok: true,
    status: 200,
    headers: {
      'content-type': contentTypeOf(format),
      'content-disposition': `attachment; filename="${name}"`,
      ...(made.bytes === undefined ? {} : { 'content-length': String(made.bytes) }),
    },
    stream: follow(first, chunks),
  };
}

async function* follow(
  first: IteratorResult<{ readonly data: Uint8Array }>,
  chunks: AsyncIterator<{ readonly data: Uint8Array }>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await chunks.next()) yield next.value.data;
  } finally {
    await chunks.return?.();
  }
}
