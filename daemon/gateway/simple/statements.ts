import { setTimeout as sleep } from 'node:timers/promises';

import { z } from 'zod';

import { operations } from '../../../core/operations.ts';
import { instantOfWallClock, isTimezone, parseDate } from '../../../core/time/calendar.ts';
import { toExportJson } from '../../../lib/json/exports.ts';
import { operationNumbers } from '../../../lib/json/names.ts';
import { nameStatementStatus, toStatementJson } from '../../../lib/json/statements.ts';
import {
  CreateExportRequest,
  GenerateStatementRequest,
  StatementServiceService as statements,
  type Statement,
  type StatementLine,
  type StatementStatus,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { currency, timeOf, user } from '../http/fields.ts';
import { fault, found, type Fault, type Found } from '../http/problems.ts';
import { answer, defineRoute, type Route, type ServiceCall } from '../http/route.ts';
import { present } from '../routes/account-shapes.ts';
import { toSimpleLine } from './statement-lines.ts';
import { exported } from './exports.ts';
import { simpleStatuses } from './problems.ts';

const tag = 'simple API';

/** A statement with more lines becomes an export. */
const maxPages = 10;
const pageSize = 1_000;
/** Lines come a moment after their transactions: the pauses in which they are waited for. */
const behindPausesMs = [50, 100, 200, 400, 800];

const line = z.object({
  amount: z.string(),
  balance: z.string().meta({ description: 'After the transaction' }),
  operation: z.enum(operations as readonly [string, ...string[]]),
  date: z.string().meta({ description: 'dd/mm/yyyy' }),
});

const lineExample = {
  ...{ amount: 'R$100.00', balance: 'R$200.00' },
  ...{ operation: 'deposit', date: '10/07/2023' },
};

type StatementBody = {
  readonly maxDate: string;
  readonly timezone?: string | undefined;
  readonly user?: string | undefined;
  readonly currency?: string | undefined;
};

type Asked = {
  readonly userId: string;
  readonly currency: string;
  readonly from: Date;
  readonly timezone: string;
};

/** `/statement/generate` */
export const simpleStatementRoutes: readonly Route[] = [
  defineRoute({
    method: 'POST',
    path: '/statement/generate',
    tag,
    summary: 'Get the statement from a day until now',
    description:
      'A range of more than 15 days (a setting of the server) is written to a file instead, which ' +
      'is mailed if the server sends mail, and can be downloaded.',
    credential: 'required',
    body: z.strictObject({
      maxDate: z.string().max(40).meta({
        description: 'The first day, like 2023-07-10, or a time of RFC 3339',
        example: '2023-07-10',
      }),
      timezone: z.string().max(100).optional().meta({
        description: 'IANA name of the zone of all days; default UTC',
        example: 'America/Sao_Paulo',
      }),
      user,
      currency: currency.optional(),
    }),
    bodyExample: { maxDate: '2023-07-10' },
    answers: {
      200: {
        description: 'The lines, or the export that was asked for instead',
        schema: z.object({
          status: z.literal(200),
          items: z.array(line).optional(),
          completeness: z.enum(['complete', 'incomplete', 'inconsistent']).optional(),
          statement: z.looseObject({}).optional().meta({
            description: 'The same in the form of `/v1/statements`',
          }),
          export: exported.optional(),
        }),
        example: { status: 200, items: [lineExample], completeness: 'complete' },
      },
    },
    problems: ['CURRENCY_UNKNOWN', 'OVERLOADED', 'TRANSACTION_NOT_FOUND', 'USER_REQUIRED'],
    problemStatuses: simpleStatuses,
    run: ({ body, call, signal }) => generate(body, call, signal),
  }),
];

async function generate(
  body: StatementBody,
  call: ServiceCall,
  signal: AbortSignal,
): ReturnType<Route['run']> {
  const asked = readAsked(body);
  if (!asked.ok) return asked;
  const read = await readStatement(asked.value, call, signal);
  if (!read.ok) return read.fault.reason === 'RANGE_TOO_LONG' ? order(asked.value, call) : read;
  const { statement, status, lines } = read.value;
  const isKnown = (statement.behindBy ?? 0n) === 0n && statement.inconsistency === '';
  if (lines.length === 0 && isKnown) {
    return { ok: false, fault: fault('TRANSACTION_NOT_FOUND', 'No transactions') };
  }
  return answer(200, {
    status: 200,
    items: lines.map((each) => toSimpleLine(statement, each)),
    completeness: nameStatementStatus(status),
    statement: toStatementJson(statement, lines),
  });
}

function readAsked({
  maxDate,
  timezone = 'UTC',
  user: userId = '',
  currency: of = '',
}: StatementBody): Found<Asked> {
  if (!isTimezone(timezone)) {
    const message = `${JSON.stringify(timezone)} is not the IANA name of a time zone`;
    return { ok: false, fault: fault('INVALID_ARGUMENT', message, { field: 'timezone' }) };
  }
  const wallMs = parseDate(maxDate);
  const from =
    wallMs === undefined
      ? timeOf(maxDate, 'maxDate')
      : found(new Date(instantOfWallClock(wallMs, timezone)));
  if (from.ok && from.value) return found({ userId, currency: of, from: from.value, timezone });
  const message = `maxDate must be a day like 2023-07-10, or a time of RFC 3339`;
  return { ok: false, fault: fault('INVALID_ARGUMENT', message, { field: 'maxDate' }) };
}

type ReadStatement = {
  readonly statement: Statement;
  readonly status: StatementStatus;
  readonly lines: readonly StatementLine[];
};

/**
 * All lines, once those of the last transactions have come. RANGE_TOO_LONG where they do not fit
 * into an answer: naming every operation keeps the service from ordering an export without a mail.
 */
async function readStatement(
  asked: Asked,
  call: ServiceCall,
  signal: AbortSignal,
): Promise<Found<ReadStatement>> {
  const query = { ...asked, pageSize, operations: Object.values(operationNumbers) };
  const readPage = async (pageToken: string) => {
    const request = GenerateStatementRequest.fromPartial({ ...query, pageToken });
    const got = await call('statement', statements.generateStatement, request);
    return got.ok ? got : { ok: false as const, fault: aboutMaxDate(got.fault) };
  };
  let page = await readPage('');
  for (const pauseMs of behindPausesMs) {
    if (!page.ok || (page.value.statement?.behindBy ?? 0n) === 0n || signal.aborted) break;
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    page = await readPage('');
  }
  const lines: StatementLine[] = [];
  for (let pages = 1; page.ok; pages += 1) {
    const { status, nextPageToken } = page.value;
    const statement = present(page.value.statement, 'statement');
    lines.push(...statement.lines);
    if (nextPageToken === '') return found({ statement, status, lines });
    if (pages === maxPages) {
      return { ok: false, fault: fault('RANGE_TOO_LONG', 'the statement has too many lines') };
    }
    page = await readPage(nextPageToken);
  }
  return page;
}

/** The service names the start of the range, which is `maxDate` here. */
const aboutMaxDate = (cause: Fault): Fault =>
  cause.metadata['field'] === 'from'
    ? { ...cause, metadata: { ...cause.metadata, field: 'maxDate' } }
    : cause;

/** The file by mail; without one where there is no mail, or no address that may get it. */
async function order(asked: Asked, call: ServiceCall): ReturnType<Route['run']> {
  const ask = (email: boolean) => {
    const request = CreateExportRequest.fromPartial({ ...asked, email });
    return call('statement', statements.createExport, request);
  };
  const mailed = await ask(true);
  const isMailRefused = !mailed.ok && mailed.fault.metadata['field'] === 'email';
  const ordered = isMailRefused ? await ask(false) : mailed;
  if (!ordered.ok) return { ok: false, fault: aboutMaxDate(ordered.fault) };
  const made = present(ordered.value.export, 'export');
  return answer(200, { status: 200, export: toExportJson({ made }) });
}
