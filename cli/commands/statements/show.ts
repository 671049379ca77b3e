import type { Command } from 'commander';

import { quoteForShell } from '../../../core/shell-word.ts';
import { addDays } from '../../../core/time/calendar.ts';
import {
  StatementServiceService,
  type GenerateStatementRequest,
  type GenerateStatementResponse,
  type Statement,
  type StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import {
  exitCodes,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Failed,
  type Outcome,
} from '../../outcome.ts';
import { checkExport } from '../exports/shared.ts';
import { toJsonText } from '../../terminal/plain.ts';
import { formatJson } from '../../output/print.ts';
import { createLineWriter, type LineFormat } from './line-writer.ts';
import { formatStatement } from './columns.ts';
import { checkLimit, noteMore } from '../shared/paging.ts';
import { startFilteredCheck, startStatementCheck, type StatementCheck } from './check.ts';
import { addRangeOptions, readOperations, readRange, type RangeOptions } from './request.ts';
import { collect } from '../shared/options.ts';
import type { GlobalOptions, Start } from '../shared/start.ts';
import { toExportJson } from '../../../lib/json/exports.ts';
import {
  nameStatementStatus,
  toStatementJson,
  type StatementStatusName,
} from '../../../lib/json/statements.ts';
import { formatZonedTime } from '../../../lib/json/time.ts';

type StatementShowOptions = RangeOptions & {
  readonly operation?: readonly string[];
  readonly reverse?: boolean;
  readonly limit?: string;
  readonly pageToken?: string;
  /** `-o hledger`, which only a statement has. */
  readonly isJournal?: boolean;
};

/** The request for the next page, and how many lines may still be shown. */
type Query = { readonly request: GenerateStatementRequest; readonly limit: number };

const maxPageSize = 500;

/** Adds `wallet statement show`. */
export function addStatementShow(statement: Command, start: Start): void {
  addRangeOptions(statement.command('show').description('show a statement'))
    .option('--operation <OPERATION>', 'only lines of this operation; can be repeated', collect)
    .option('--reverse', 'newest first')
    .option('--limit <N>', 'how many lines at most (default: all)')
    .option('--page-token <TOKEN>', 'continue a statement from this token')
    .addHelpText(
      'after',
      `
Examples:
  wallet statement show
  wallet statement show --from 2026-11-01 --to 2026-11-15
  wallet statement show --operation purchase --reverse --limit 10
  wallet statement show --user ana@example.com --timezone America/Sao_Paulo -o csv
  wallet statement show -o hledger | hledger -f - balance

A statement of up to 15 days is printed; a longer one is queued as an export (exit code 10).`,
    )
    .action(async (options: StatementShowOptions, command: Command) => {
      const isJournal = command.optsWithGlobals<GlobalOptions>().output === 'hledger';
      await start(command, (context) => runStatementShow(context, { ...options, isJournal }), {
        hasJournal: true,
      });
    });
}

/** `wallet statement show`: checked to add up before it is shown. */
async function runStatementShow(
  context: Context,
  options: StatementShowOptions,
): Promise<CommandOutcome> {
  const query = await buildQuery(context, options);
  if (!query.ok) return query;
  const { request } = query.value;
  const first = await fetchPage(context, query.value);
  if (!first.ok) return suggestTo(first, options, request);
  const { status, page } = first.value;
  if (status === 'queued') return showQueued(context, page);
  const { statement } = page;
  if (!statement) return fail('UNEXPECTED', 'the server answered without a statement');
  const { output } = context.manner;
  const format = options.isJournal ? 'hledger' : output;
  const shown =
    format === 'table' || format === 'json'
      ? await showWhole(context, query.value, first.value, statement)
      : await streamLines(context, query.value, first.value, statement, format);
  if (!shown.ok) return shown;
  const { pageToken, inconsistency } = shown.value;
  if (options.isJournal || output !== 'json') await noteMore(context, pageToken ?? '');
  if (inconsistency !== undefined) {
    await context.reporter.noteAlways(
      `inconsistent: this statement may be wrong: ${inconsistency}`,
    );
    return succeed(exitCodes.statementNotComplete);
  }
  if (status === 'complete') return succeed(exitCodes.done);
  await context.reporter.noteAlways(`incomplete: ${explainGap(statement.behindBy)}`);
  return succeed(exitCodes.statementNotComplete);
}

function explainGap(behindBy: bigint | undefined): string {
  if (behindBy === 0n) {
    return 'the period has not ended, so transactions may be added; for a statement up to now omit --to';
  }
  return behindBy === undefined
    ? 'the ledger could not be checked for more transactions; run the command again in a moment'
    : `${behindBy.toString()} transactions of the ledger are not included yet; run the command again in a moment`;
}

async function buildQuery(
  context: Context,
  options: StatementShowOptions,
): Promise<Outcome<Query>> {
  const { limit: asked, reverse: isReversed = false, pageToken = '' } = options;
  const limit = checkLimit(asked === undefined ? { all: true } : { limit: asked });
  if (!limit.ok) return limit;
  const operations = readOperations(options.operation);
  if (!operations.ok) return operations;
  const isPart = asked !== undefined || pageToken !== '' || operations.value.length > 0;
  if (options.isJournal && (isPart || isReversed)) {
    return failUsage(
      'output',
      'a journal asserts each balance, so it has all lines in order: leave out --operation, --reverse, --limit and --page-token',
    );
  }
  const range = await readRange(context, options);
  if (!range.ok) return range;
  return succeed({
    limit: limit.value,
    request: {
      ...range.value,
      pageSize: maxPageSize,
      pageToken,
      operations: operations.value,
      descending: isReversed,
    },
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
  const hint = `the first ${days} days of it: --from ${quoteForShell(options.from ?? '')} --to ${to}`;
  return { ok: false, failure: { ...failure, hint } };
}

type Page = { readonly status: StatementStatusName; readonly page: GenerateStatementResponse };

async function fetchPage(context: Context, { request, limit }: Query): Promise<Outcome<Page>> {
  const method = StatementServiceService.generateStatement;
  const sized = { ...request, pageSize: Math.min(limit, maxPageSize) };
  const got = await context.caller.call(method, sized, 'read');
  if (!got.ok) return got;
  const status = nameStatementStatus(got.value.status);
  if (!status)
    return fail('UNEXPECTED', 'the server answered with a status that this version does not know');
  return succeed({ status, page: got.value });
}

/** Where the pages ended, and what contradicts the ledger on any of them. */
type Ended = {
  /** Of the page after the last one; undefined where there is none. */
  readonly pageToken: string | undefined;
  readonly inconsistency: string | undefined;
};

const inconsistencyOf = ({ status, page }: Page): string | undefined =>
  status === 'inconsistent' ? (page.statement?.inconsistency ?? '') : undefined;

/** Runs `use` on the lines of each page, in order, after they have been checked. */
async function eachPage(
  context: Context,
  { request, limit }: Query,
  first: Page,
  use: (lines: readonly StatementLine[]) => Promise<void>,
): Promise<Outcome<Ended>> {
  const check = first.status === 'complete' ? startCheck(first, request) : undefined;
  let { page } = first;
  let inconsistency = inconsistencyOf(first);
  let left = limit;
  for (;;) {
    const lines = page.statement?.lines ?? [];
    const sound = inconsistency === undefined ? check : undefined;
    const added = sound?.addLines(lines) ?? succeed(undefined);
    if (!added.ok) return added;
    await use(lines);
    left -= lines.length;
    const { nextPageToken: pageToken } = page;
    if (pageToken === '') {
      const ended = sound?.end() ?? succeed(undefined);
      return ended.ok ? succeed({ pageToken: undefined, inconsistency }) : ended;
    }
    if (left <= 0 || context.io.stdout.fault) return succeed({ pageToken, inconsistency });
    const next = await fetchPage(context, { request: { ...request, pageToken }, limit: left });
    if (!next.ok) return next;
    ({ page } = next.value);
    inconsistency ??= inconsistencyOf(next.value);
  }
}

function startCheck(
  { page }: Page,
  { operations, descending, pageToken }: GenerateStatementRequest,
): StatementCheck | undefined {
  if (!page.statement) return undefined;
  return operations.length > 0
    ? startFilteredCheck(page.statement, operations)
    : startStatementCheck(page.statement, {
        isReversed: descending,
        startsMidway: pageToken !== '',
      });
}

/** A table or JSON: all lines are in before anything is printed. */
async function showWhole(
  context: Context,
  query: Query,
  first: Page,
  statement: Statement,
): Promise<Outcome<Ended>> {
  const lines: StatementLine[] = [];
  const collected = await eachPage(context, query, first, (pageLines) => {
    for (const line of pageLines) lines.push(line);
    return Promise.resolve();
  });
  if (!collected.ok) return collected;
  const { pageToken: nextPageToken, inconsistency } = collected.value;
  const status = inconsistency === undefined ? first.status : 'inconsistent';
  const json = toStatementJson({ ...statement, inconsistency: inconsistency ?? '' }, lines);
  await context.io.stdout.write(
    context.manner.output === 'json'
      ? formatJson({ status, statement: json, nextPageToken })
      : await formatStatement(context, statement, lines),
  );
  return collected;
}

/** Each page is checked against the balance before it, printed, and forgotten. */
async function streamLines(
  context: Context,
  query: Query,
  first: Page,
  statement: Statement,
  format: LineFormat,
): Promise<Outcome<Ended>> {
  const { stdout } = context.io;
  const writer = createLineWriter(format, statement, stdout);
  await stdout.write(writer.begin());
  return eachPage(context, query, first, (lines) => stdout.write(writer.lines(lines)));
}

/** A range that the server writes to a file instead. */
async function showQueued(
  context: Context,
  page: GenerateStatementResponse,
): Promise<CommandOutcome> {
  const { export: made } = page;
  if (!made) return fail('UNEXPECTED', 'the server answered without an export');
  const checked = checkExport(made);
  if (!checked.ok) return checked;
  const { output } = context.manner;
  if (output === 'json') {
    await context.io.stdout.write(formatJson({ status: 'queued', export: toExportJson({ made }) }));
  } else if (output === 'ndjson') {
    const answer = { status: 'queued', export: toExportJson({ made }) };
    await context.io.stdout.write(`${toJsonText(answer)}\n`);
  }
  const next = `wallet exports download ${made.id} --wait`;
  await context.reporter.noteAlways(
    `queued: the server writes this statement to a CSV file, export ${made.id}; to get it: ${next}`,
  );
  return succeed(exitCodes.statementNotComplete);
}
