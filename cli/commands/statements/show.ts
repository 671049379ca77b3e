import type { Command } from 'commander';

import type { GenerateStatementResponse } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import {
  exitCodes,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { checkExport } from '../exports/shared.ts';
import { toJsonText } from '../../terminal/plain.ts';
import { formatData } from '../../output/print.ts';
import { createFieldWriter, createLineWriter } from './line-writer.ts';
import { chooseColumns, type ViewOptions } from '../../output/choose-columns.ts';
import type { OutputFormat } from '../../config/settings.ts';
import { statementColumns } from './columns.ts';
import { fetchPage, maxPageSize, type Ended, type Query } from './pages.ts';
import { showWhole, streamLines, type Shown } from './print-lines.ts';
import { checkLimit, noteMore } from '../shared/paging.ts';
import {
  addRangeOptions,
  noHoldsInJournal,
  readOperations,
  readRange,
  suggestTo,
  type RangeOptions,
} from './request.ts';
import { addViewOptions, collect } from '../shared/options.ts';
import type { GlobalOptions, Start } from '../shared/start.ts';
import { toExportJson } from '../../../lib/json/exports.ts';

type StatementShowOptions = RangeOptions &
  ViewOptions & {
    readonly operation?: readonly string[];
    readonly reverse?: boolean;
    readonly holds?: boolean;
    readonly limit?: string;
    readonly pageToken?: string;
    /** `-o hledger`, which only a statement has. */
    readonly isJournal?: boolean;
  };

/** Adds `wallet statement show`. */
export function addStatementShow(statement: Command, start: Start): void {
  addViewOptions(addRangeOptions(statement.command('show').description('show a statement')))
    .option('--operation <OPERATION>', 'only lines of this operation; can be repeated', collect)
    .option('--reverse', 'newest first')
    .option('--holds', 'also holds and releases, and what is held at the end')
    .option('--limit <N>', 'how many lines at most (default: all)')
    .option('--page-token <TOKEN>', 'continue a statement from this token')
    .addHelpText(
      'after',
      `
Examples:
  wallet statement show
  wallet statement show --from 2026-11-01 --to 2026-11-15
  wallet statement show --operation purchase --reverse --limit 10
  wallet statement show --holds
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
  const hasHolds = options.holds === true;
  const view = chooseColumns(
    statementColumns(noHead, hasHolds),
    options,
    formatOf(context, options),
  );
  if (!view.ok) return view;
  const first = await fetchPage(context, query.value);
  if (!first.ok) return suggestTo(first, options.from, request);
  const { status, page } = first.value;
  if (status === 'queued') return showQueued(context, page);
  const { statement } = page;
  if (!statement) return fail('UNEXPECTED', 'the server answered without a statement');
  const shown = await printStatement(context, options, {
    ...{ query: query.value, first: first.value, statement },
  });
  if (!shown.ok) return shown;
  const { pageToken, inconsistency } = shown.value;
  const { output, fields } = context.manner;
  if (options.isJournal || output !== 'json' || fields) await noteMore(context, pageToken ?? '');
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

const formatOf = (
  { manner }: Context,
  { isJournal }: StatementShowOptions,
): OutputFormat | 'hledger' => (isJournal ? 'hledger' : manner.output);

/** The columns have the same names whatever the statement says. */
const noHead = { currency: '', exponent: 0, timezone: 'UTC' };

async function printStatement(
  context: Context,
  options: StatementShowOptions,
  pages: Omit<Shown, 'view'>,
): Promise<Outcome<Ended>> {
  const format = formatOf(context, options);
  const columns = statementColumns(pages.statement, options.holds === true);
  const view = chooseColumns(columns, options, format);
  if (!view.ok) return view;
  const { stdout } = context.io;
  const writer =
    format === 'table' || format === 'json'
      ? createFieldWriter(context.manner.fields, pages.statement, stdout)
      : createLineWriter(format, pages.statement, view.value.columns, stdout);
  return writer
    ? streamLines(context, pages, writer)
    : showWhole(context, { ...pages, view: view.value });
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
  if (options.isJournal && options.holds) return failUsage('holds', noHoldsInJournal);
  const { output } = context.manner;
  const isPrinted = !options.isJournal && (output === 'table' || output === 'json');
  const range = await readRange(context, options, isPrinted);
  if (!range.ok) return range;
  return succeed({
    limit: limit.value,
    request: {
      ...range.value,
      pageSize: maxPageSize,
      pageToken,
      operations: operations.value,
      descending: isReversed,
      includeHolds: options.holds ? true : undefined,
    },
  });
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
  const answer = { status: 'queued', export: toExportJson({ made }) };
  if (output === 'json') {
    await context.io.stdout.write(formatData(context, answer));
  } else if (output === 'ndjson') {
    await context.io.stdout.write(`${toJsonText(answer)}\n`);
  }
  const next = `wallet exports download ${made.id} --wait`;
  await context.reporter.noteAlways(
    `queued: the server writes this statement to a CSV file, export ${made.id}; to get it: ${next}`,
  );
  return succeed(exitCodes.statementNotComplete);
}
