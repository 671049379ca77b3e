import { addDays } from '../../core/calendar.ts';
import { findExponent } from '../../core/currencies.ts';
import {
  StatementServiceService,
  type GenerateStatementRequest,
  type GenerateStatementResponse,
  type Statement,
  type StatementLine,
} from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../context.ts';
import {
  exitCodes,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Failed,
  type Outcome,
} from '../failures.ts';
import { failUnknownCurrency } from '../money-move.ts';
import { formatCsvHeader, formatCsvRows } from '../output/csv.ts';
import { formatJson } from '../output/print.ts';
import { toJsonText } from '../output/plain.ts';
import {
  formatStatement,
  nameStatus,
  statementColumns,
  toLineJson,
  toStatementJson,
  type StatementStatusName,
} from '../output/statement.ts';
import { formatZonedTime } from '../output/time.ts';
import { startStatementCheck } from '../statement-check.ts';
import { parseTime } from '../times.ts';
import { resolveUser } from '../users.ts';

export type StatementShowOptions = {
  readonly user?: string;
  readonly currency?: string;
  readonly from?: string;
  readonly to?: string;
};

const pageSize = 500;

/** `wallet statement show`: checked to add up before it is shown. */
export async function runStatementShow(
  context: Context,
  options: StatementShowOptions,
): Promise<CommandOutcome> {
  const request = await buildRequest(context, options);
  if (!request.ok) return request;
  const first = await fetchPage(context, request.value);
  if (!first.ok) return suggestTo(first, options, request.value);
  const { status, page } = first.value;
  if (status === 'queued') return showQueued(context, page);
  const { statement } = page;
  if (!statement) return fail('UNEXPECTED', 'the server answered without a statement');
  const { output } = context.manner;
  const shown =
    output === 'csv' || output === 'ndjson'
      ? await streamLines(context, request.value, first.value, statement)
      : await showWhole(context, request.value, first.value, statement);
  if (!shown.ok || status === 'complete') return shown;
  const behindBy = statement.behindBy ?? 0n;
  await context.tell.insist(
    behindBy > 0n
      ? `incomplete: ${behindBy.toString()} transactions of the ledger are not in it yet; run the command again in a moment`
      : 'incomplete: whether the ledger has more could not be found out; run the command again in a moment',
  );
  return succeed(exitCodes.statementNotComplete);
}

async function buildRequest(
  context: Context,
  options: StatementShowOptions,
): Promise<Outcome<GenerateStatementRequest>> {
  const { currency: chosen, timezone } = context.settings;
  const currency = options.currency ?? chosen;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const from = parseOptionalTime('from', options.from, timezone, 'dayStart');
  if (!from.ok) return from;
  const to = parseOptionalTime('to', options.to, timezone, 'dayEnd');
  if (!to.ok) return to;
  if (from.value && from.value.getTime() > context.clock.now()) {
    return failUsage('from', '--from lies in the future: there is nothing to show yet');
  }
  if (from.value && to.value && from.value >= to.value) {
    return failUsage('from', '--from must be before --to');
  }
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  return succeed({
    userId: user.value?.id ?? '',
    currency,
    from: from.value,
    to: to.value,
    timezone,
    pageSize,
    pageToken: '',
    operations: [],
    descending: false,
  });
}

/** A range that is too long can begin where it was meant to. */
function suggestTo(
  failed: Failed,
  options: StatementShowOptions,
  { from, timezone }: GenerateStatementRequest,
): Failed {
  const { failure } = failed;
  if (failure.reason !== 'RANGE_TOO_LONG' || !from) return failed;
  const days = Number(/ (\d+) days/.exec(failure.message)?.[1] ?? '15');
  const endMs = addDays(from.getTime(), days, timezone);
  // A date includes its day, a time excludes itself.
  const to =
    options.from?.length === 10
      ? formatZonedTime(new Date(endMs - 1), timezone).slice(0, 10)
      : formatZonedTime(new Date(endMs), timezone);
  const hint = `the first ${days} days of it: --from ${options.from ?? ''} --to ${to}`;
  return { ok: false, failure: { ...failure, hint } };
}

function parseOptionalTime(
  field: string,
  text: string | undefined,
  timezone: string,
  edge: 'dayStart' | 'dayEnd',
): Outcome<Date | undefined> {
  return text === undefined ? succeed(undefined) : parseTime(field, text, timezone, edge);
}

type Page = { readonly status: StatementStatusName; readonly page: GenerateStatementResponse };

async function fetchPage(
  context: Context,
  request: GenerateStatementRequest,
): Promise<Outcome<Page>> {
  const method = StatementServiceService.generateStatement;
  const got = await context.caller.call(method, request, 'read');
  if (!got.ok) return got;
  const status = nameStatus(got.value.status);
  if (!status)
    return fail('UNEXPECTED', 'the server answered with a status this version knows not');
  return succeed({ status, page: got.value });
}

/** Runs `use` on the lines of each page, in order. */
async function eachPage(
  context: Context,
  request: GenerateStatementRequest,
  first: Page,
  use: (lines: readonly StatementLine[]) => Promise<Outcome<undefined>>,
): Promise<Outcome<undefined>> {
  let { page } = first;
  for (;;) {
    const used = await use(page.statement?.lines ?? []);
    const isOver = page.nextPageToken === '' || context.io.stdout.fault !== undefined;
    if (!used.ok || isOver) return used;
    const next = await fetchPage(context, { ...request, pageToken: page.nextPageToken });
    if (!next.ok) return next;
    ({ page } = next.value);
  }
}

/** A table or JSON: all lines are in before anything is printed. */
async function showWhole(
  context: Context,
  request: GenerateStatementRequest,
  first: Page,
  statement: Statement,
): Promise<CommandOutcome> {
  const check = startStatementCheck(statement);
  const isComplete = first.status === 'complete';
  const lines: StatementLine[] = [];
  const collected = await eachPage(context, request, first, (pageLines) => {
    for (const line of pageLines) lines.push(line);
    return Promise.resolve(isComplete ? check.addLines(pageLines) : succeed(undefined));
  });
  if (!collected.ok) return collected;
  const ended = isComplete ? check.end() : succeed(undefined);
  if (!ended.ok) return ended;
  await context.io.stdout.write(
    context.manner.output === 'json'
      ? formatJson({ status: first.status, statement: toStatementJson(statement, lines) })
      : formatStatement(context, statement, lines),
  );
  return succeed(exitCodes.done);
}

/** CSV or NDJSON: each page is checked against the balance before it, printed, and forgotten. */
async function streamLines(
  context: Context,
  request: GenerateStatementRequest,
  first: Page,
  statement: Statement,
): Promise<CommandOutcome> {
  const { stdout } = context.io;
  const columns = statementColumns(statement);
  const isCsv = context.manner.output === 'csv';
  const check = startStatementCheck(statement);
  const isComplete = first.status === 'complete';
  if (isCsv) await stdout.write(formatCsvHeader(columns));
  const streamed = await eachPage(context, request, first, async (lines) => {
    const added = isComplete ? check.addLines(lines) : succeed(undefined);
    if (!added.ok) return added;
    const { currency } = statement;
    await stdout.write(
      isCsv
        ? formatCsvRows(stdout, columns, lines)
        : lines
            .map((line) => `${toJsonText({ ...toLineJson(statement, line), currency })}\n`)
            .join(''),
    );
    return succeed(undefined);
  });
  if (!streamed.ok) return streamed;
  const isChecked = isComplete && !stdout.fault;
  const ended = isChecked ? check.end() : succeed(undefined);
  return ended.ok ? succeed(exitCodes.done) : ended;
}

/** A range that the server writes to a file instead. */
async function showQueued(
  context: Context,
  page: GenerateStatementResponse,
): Promise<CommandOutcome> {
  const id = page.export?.id ?? '';
  const { output } = context.manner;
  if (output === 'json' || output === 'ndjson') {
    await context.io.stdout.write(`${toJsonText({ status: 'queued', export: { id } })}\n`);
  }
  await context.tell.insist(`queued: the server writes this statement to a file, export ${id}`);
  return succeed(exitCodes.statementNotComplete);
}
