import { z } from 'zod';

import { exportLocales } from '../../../core/statement-format/index.ts';
import { toExportJson } from '../../../lib/json/exports.ts';
import { operationNumbers } from '../../../lib/json/names.ts';
import { nameStatementStatus, toStatementJson } from '../../../lib/json/statements.ts';
import {
  GenerateStatementRequest,
  StatementServiceService as statement,
  StatementStatus,
  type GenerateStatementResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { chooseType } from '../http/accept.ts';
import { currency, money, operation, page, time, user, uuid } from '../http/fields.ts';
import { formatNextLink } from '../http/pages.ts';
import { fault } from '../http/problems.ts';
import { defineRoute, type Answer, type Route, type ServiceCall } from '../http/route.ts';
import { rangeFields, rangeOf } from '../http/times.ts';
import { exportShape, queuedExample } from './export-shapes.ts';
import { nameStatementFile, writeStatement } from './statement-text.ts';

const path = '/v1/statements';
const maxPageSize = 500;

/** docs/cli.md, "JSON": a line of a statement. */
export const statementLine = z
  .object({
    seq: z.int(),
    date: time,
    transactionId: uuid,
    operation,
    description: z.string().optional(),
    merchant: z.string().optional(),
    debit: money.optional(),
    credit: money.optional(),
    balance: money,
    held: money.optional().meta({
      description: 'Money that it reserved, or released (below 0)',
    }),
    heldBalance: money.optional().meta({ description: 'What is reserved since' }),
  })
  .meta({ id: 'StatementLine' });

/** docs/cli.md, "JSON": a statement. */
const statementShape = z
  .object({
    walletId: uuid,
    currency,
    from: time,
    to: time.meta({ description: 'Exclusive' }),
    timezone: z.string(),
    opening: money,
    totalDebit: money,
    totalCredit: money,
    closing: money,
    heldClosing: money.optional().meta({
      description: 'What is reserved at the end; with `holds=true`',
    }),
    availableClosing: money.optional().meta({
      description:
        'The closing balance without what is reserved; with `holds=true`. Unlike `available` of a ' +
        'wallet it does not count the overdraft limit, which is not in the ledger',
    }),
    lines: z.array(statementLine),
    behindBy: z.int().optional().meta({
      description: 'Transactions of the ledger that are not included yet',
    }),
    inconsistency: z.string().optional().meta({
      description: 'How lines and ledger contradict each other: this statement may be wrong',
    }),
  })
  .meta({ id: 'Statement' });

const shape = z.object({
  status: z.enum(['complete', 'incomplete', 'inconsistent']),
  statement: statementShape,
  nextPageToken: z.string().optional(),
});
const queuedShape = z.object({ status: z.literal('queued'), export: exportShape });

const example = {
  status: 'complete',
  statement: {
    walletId: '5b0f7a3d-56d0-5e35-9c2f-a3a2f7c1d9a4',
    currency: 'BRL',
    from: '2026-11-15T00:00:00.000-03:00',
    to: '2026-11-30T00:00:00.000-03:00',
    timezone: 'America/Sao_Paulo',
    ...{ opening: '0.00', totalDebit: '0.00', totalCredit: '100.00', closing: '100.00' },
    lines: [
      {
        ...{ seq: 1, date: '2026-11-22T18:42:10.123-03:00', operation: 'deposit' },
        transactionId: '7c4f9d7e-8f1c-5a49-8c53-3c2b6f8f7a10',
        ...{ credit: '100.00', balance: '100.00' },
      },
    ],
  },
};

const operationsField = z
  .union([operation, z.array(operation).max(20)])
  .optional()
  .meta({
    description: 'Only lines of these operations; can be repeated',
  });

const query = z.strictObject({
  user,
  currency: currency.optional(),
  ...rangeFields,
  operation: operationsField,
  order: z.enum(['asc', 'desc']).optional().meta({ description: '`desc`: newest first' }),
  holds: z.enum(['true', 'false']).optional().meta({
    description: '`true`: also the lines of holds and releases, and what is reserved',
  }),
  locale: z.enum(exportLocales).optional().meta({ description: 'Of `text/csv`; default `en`' }),
  limit: page.limit.meta({ description: 'Lines of a page, at most 500; default 500' }),
  pageToken: page.pageToken,
});
type Query = z.infer<typeof query>;

const json = 'application/json';
const texts = { 'text/csv': 'csv', 'text/x-hledger': 'hledger' } as const;

/** `/v1/statements` */
export const statementRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path,
    tag: 'statements',
    summary: 'Get a statement',
    description:
      'Of at most 15 days, unless the server is configured otherwise; a longer range is queued as ' +
      'an export, whatever `Accept` says. `Accept: text/csv` or `text/x-hledger` gives the whole ' +
      'range as text, and the header `Statement-Status` says whether it is complete.',
    credential: 'required',
    query,
    answers: {
      200: {
        description: 'The statement: a page as JSON, or all of it as text',
        schema: shape,
        contentTypes: Object.keys(texts),
        example,
        headers: {
          'Statement-Status': '`complete`, `incomplete` or `inconsistent`',
        },
        optionalHeaders: { Link: 'The next page, with rel="next"' },
      },
      202: {
        description: 'The range is long: the statement is written to a file',
        schema: queuedShape,
        example: { status: 'queued', export: queuedExample },
        headers: { Location: 'The path of the export' },
      },
    },
    problems: [
      ...(['CURRENCY_UNKNOWN', 'NOT_ACCEPTABLE', 'PAGE_TOKEN_INVALID'] as const),
      ...(['RANGE_TOO_LONG', 'USER_NOT_FOUND', 'USER_REQUIRED'] as const),
    ],
    run: async ({ query: asked, headers, call }) => {
      const type = chooseType(headers['accept'], [json, 'text/csv', 'text/x-hledger']);
      if (type === undefined) return notAcceptable;
      if (type !== json && isPart(asked)) return partOfText;
      const range = rangeOf(asked);
      if (!range.ok) return range;
      const request = toRequest(asked, range.value);
      const got = await call('statement', statement.generateStatement, request);
      if (!got.ok) return got;
      if (got.value.status === StatementStatus.QUEUED) return answerQueued(got.value);
      return type === json
        ? answerJson(asked, got.value)
        : answerText(texts[type], asked, got.value, nextPageOf(call, request));
    },
  }),
];

const refuseRequest = (
  reason: 'NOT_ACCEPTABLE' | 'INVALID_ARGUMENT',
  message: string,
  field: string,
): Answer => ({ ok: false, fault: fault(reason, message, { field }) });

const notAcceptable = refuseRequest(
  'NOT_ACCEPTABLE',
  `a statement is ${[json, ...Object.keys(texts)].join(', ')}: ask for one of them`,
  'Accept',
);

const partOfText = refuseRequest(
  'INVALID_ARGUMENT',
  'as text a statement has all lines in order: leave out operation, order, limit and pageToken',
  'Accept',
);

const isPart = ({ operation: of, order, limit, pageToken }: Query): boolean =>
  of !== undefined || order === 'desc' || limit !== undefined || pageToken !== undefined;

const toRequest = (
  { user: userId = '', currency: of = '', operation: operations, order, ...page }: Query,
  range: Pick<GenerateStatementRequest, 'from' | 'to' | 'timezone'>,
): GenerateStatementRequest =>
  GenerateStatementRequest.fromPartial({
    ...{ userId, currency: of },
    ...range,
    operations: [...new Set([operations ?? []].flat())].map((name) => operationNumbers[name]),
    descending: order === 'desc',
    includeHolds: page.holds === 'true' ? true : undefined,
    pageSize: page.limit ?? maxPageSize,
    pageToken: page.pageToken ?? '',
  });

const nextPageOf =
  (call: ServiceCall, request: GenerateStatementRequest) =>
  async (pageToken: string): Promise<GenerateStatementResponse> => {
    const got = await call('statement', statement.generateStatement, { ...request, pageToken });
    if (!got.ok) throw new Error(got.fault.message);
    return got.value;
  };

function answerQueued({ export: made }: GenerateStatementResponse): Answer {
  if (!made) throw new Error('the answer has no export');
  return {
    ok: true,
    status: 202,
    body: { status: 'queued', export: toExportJson({ made }) },
    headers: { location: `/v1/exports/${made.id}` },
  };
}

function answerJson(asked: Query, got: GenerateStatementResponse): Answer {
  const { statement: found, nextPageToken } = got;
  if (!found) throw new Error('the answer has no statement');
  const status = statusOf(got);
  const body = {
    ...{ status, statement: toStatementJson(found, found.lines) },
    ...(nextPageToken === '' ? {} : { nextPageToken }),
  };
  const link = formatNextLink(path, asked, nextPageToken);
  const headers = { 'statement-status': status, vary: 'accept', ...link };
  return { ok: true, status: 200, body, headers };
}

function answerText(
  format: (typeof texts)[keyof typeof texts],
  { locale = 'en' }: Query,
  got: GenerateStatementResponse,
  nextPage: (pageToken: string) => Promise<GenerateStatementResponse>,
): Answer {
  const { statement: found } = got;
  if (!found) throw new Error('the answer has no statement');
  return {
    ok: true,
    status: 200,
    headers: {
      'content-type': `text/${format === 'csv' ? 'csv' : 'x-hledger'}; charset=utf-8`,
      'content-disposition': `attachment; filename="${nameStatementFile(format, found)}"`,
      'statement-status': statusOf(got),
      vary: 'accept',
    },
    stream: writeStatement(format, locale, { ...got, statement: found }, nextPage),
  };
}

function statusOf({ status }: GenerateStatementResponse): string {
  const name = nameStatementStatus(status);
  if (name === undefined) throw new Error(`the statement has the unknown status ${status}`);
  return name;
}
