import type { Command } from 'commander';
import { extname } from 'node:path';

import {
  exportFormats,
  exportLocales,
  isExportLocale,
  type ExportFormat,
} from '../../../core/statement-format/index.ts';
import { quoteForShell } from '../../../core/shell-word.ts';
import { findTextProblem, textLimits } from '../../../core/text.ts';
import {
  StatementServiceService,
  type CreateExportRequest,
  type Export,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import { checkExport, waitForExport } from '../exports/shared.ts';
import {
  done,
  exitCodes,
  fail,
  failUnknown,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { exportColumns } from '../exports/columns.ts';
import { printObject } from '../../output/print.ts';
import { defaultFileName, saveExport, stdoutName } from '../exports/save.ts';
import type { ProofWish } from './proof/fetch.ts';
import {
  checkTargets,
  hideNeighboursOption,
  readProofWish,
  saveProof,
  type ProofOptions,
  type Targets,
} from './proof/save.ts';
import { addRangeOptions, noHoldsInJournal, readRange, type RangeOptions } from './request.ts';
import type { GlobalOptions, Start } from '../shared/start.ts';
import { exportFormatNumbers, toExportJson } from '../../../lib/json/exports.ts';

type StatementExportOptions = RangeOptions &
  ProofOptions & {
    readonly format?: string;
    readonly locale?: string;
    readonly bom?: boolean;
    readonly file?: string;
    readonly email?: boolean;
    readonly holds?: boolean;
    readonly wait: boolean;
    readonly idempotencyKey?: string;
    readonly dryRun?: boolean;
  };

/** Adds `wallet statement export`. */
export function addStatementExport(statement: Command, start: Start): void {
  addRangeOptions(statement.command('export').description('export a statement to a file'))
    .option('--format <FORMAT>', "csv, json, ndjson or hledger (default: the file's, else csv)")
    .option('--locale <LOCALE>', 'locale of a CSV file: en or pt-BR (default en)')
    .option('--holds', 'also holds and releases, and what is held after each line')
    .option('--bom', 'begin a CSV file with a byte order mark, for spreadsheets')
    .option('--file <FILE>', 'output file; - is stdout (default: named by currency and range)')
    .option('--proof', 'also write FILE.proof.json, which proves the file without the server')
    .option(...hideNeighboursOption)
    .option('--email', "also mail the file to the wallet's owner")
    .option('--no-wait', 'request the export, print its id, and do not wait')
    .option('--idempotency-key <KEY>', 'the same key never creates a second export')
    .option('--dry-run', 'let the server check the command, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  wallet statement export --from 2026-01-01 --to 2026-06-30
  wallet statement export --from 2026-01-01 --file year.journal
  wallet statement export --month 2026-10
  wallet statement export --from 2026-01-01 --locale pt-BR --bom --file extrato.csv
  wallet statement export --from 2026-01-01 --format ndjson --file - | gzip > year.gz
  wallet statement export --from 2026-01-01 --email --no-wait
  wallet statement export --month 2026-10 --proof --file october.csv

An existing file is overwritten only after confirmation, or with --yes.`,
    )
    .action(async (options: StatementExportOptions, command: Command) => {
      const { output } = command.optsWithGlobals<GlobalOptions>();
      const run = (context: Context) =>
        output === 'hledger'
          ? runJournalExport(context, options)
          : runStatementExport(context, options);
      await start(command, run, { hasJournal: true });
    });
}

/** `-o hledger` can only mean the file, since what the command prints has no such form. */
function runJournalExport(
  context: Context,
  options: StatementExportOptions,
): Promise<CommandOutcome> {
  const { format = 'hledger' } = options;
  if (format === 'hledger') return runStatementExport(context, { ...options, format });
  const message = `-o hledger and --format ${format} exclude each other`;
  return Promise.resolve(failUsage('format', message, 'choose the format of the file: --format'));
}

/** `wallet statement export`: has a statement written to a file, waits for it and fetches it. */
async function runStatementExport(
  context: Context,
  options: StatementExportOptions,
): Promise<CommandOutcome> {
  const { file, wait: isAwaited } = options;
  const isDryRun = options.dryRun === true;
  const request = await buildRequest(context, options);
  if (!request.ok) return request;
  if (!isAwaited && file !== undefined) {
    return failUsage('file', '--file and --no-wait exclude each other: nothing is downloaded');
  }
  if (!isAwaited && options.proof === true) return proofWithoutFile;
  const wish = readProofWish(options, file);
  if (!wish.ok) return wish;
  const isFetched = isAwaited && !isDryRun;
  // Said before anything is asked for.
  const targets =
    isFetched && file !== undefined
      ? await checkTargets(context, file, wish.value)
      : succeed(undefined);
  if (!targets.ok) return targets;
  const created = await createExport(context, request.value);
  if (!created.ok) return created;
  const { made, isReplayed } = created.value;
  if (isReplayed)
    await context.reporter.note(
      'an export was requested under this key already: this is that export',
    );
  const columns = exportColumns(context.settings.timezone);
  if (!isFetched) {
    await printObject(context, { made, isDryRun }, columns, toExportJson);
    if (isDryRun) return done;
    const next = `wallet exports download ${made.id} --wait`;
    await context.reporter.noteAlways(`queued: to get the file: ${next}`);
    return succeed(exitCodes.statementNotComplete);
  }
  const waited = await waitForExport(context, made.id);
  if (!waited.ok) return waited;
  return fetchInto(context, waited.value, { file, wish: wish.value }, targets.value);
}

const proofWithoutFile = failUsage(
  'proof',
  '--proof and --no-wait exclude each other: nothing is downloaded',
  'get both when the export is written: wallet exports download ID --wait --proof',
);

/**
 * Fetches what is written, to `file` or a name of its own, with its proof if that is wanted, and
 * prints what it was.
 */
export async function fetchInto(
  context: Context,
  made: Export,
  { file, wish }: { readonly file: string | undefined; readonly wish: ProofWish | undefined },
  checked: Targets | undefined,
): Promise<CommandOutcome> {
  const name = file === undefined ? defaultFileName(made) : succeed(file);
  if (!name.ok) return name;
  const path = name.value;
  const targets = checked ? succeed(checked) : await checkTargets(context, path, wish);
  if (!targets.ok) {
    const hint = `it is kept: wallet exports download ${made.id} --file OTHER, or add --yes`;
    return { ok: false, failure: { ...targets.failure, hint } };
  }
  const saved = await saveExport(context, made, path, targets.value.file);
  if (!saved.ok) return saved;
  if (path === stdoutName) return done;
  const proof = wish
    ? await saveProof(context, { made, file: path }, targets.value.proof, wish)
    : succeed(undefined);
  if (!proof.ok) return proof;
  const row =
    proof.value === undefined ? { made, file: path } : { made, file: path, proof: proof.value };
  await printObject(context, row, exportColumns(context.settings.timezone), toExportJson);
  return done;
}

async function buildRequest(
  context: Context,
  options: StatementExportOptions,
): Promise<Outcome<CreateExportRequest>> {
  const format = chooseFormat(options);
  if (!format.ok) return format;
  const { locale = '', bom: byteOrderMark = false, idempotencyKey } = options;
  if (locale !== '' && !isExportLocale(locale)) {
    return failUnknown('locale', locale, exportLocales);
  }
  if (options.holds && format.value === 'hledger') return failUsage('holds', noHoldsInJournal);
  if (byteOrderMark && format.value !== 'csv') return failUsage('bom', '--bom is for CSV only');
  const problem =
    idempotencyKey === undefined
      ? undefined
      : findTextProblem(idempotencyKey, textLimits.idempotencyKey);
  if (problem !== undefined || idempotencyKey === '') {
    return failUsage('idempotency-key', problem ?? 'must not be empty');
  }
  const range = await readRange(context, options, false);
  if (!range.ok) return range;
  return succeed({
    ...range.value,
    ...{ locale, byteOrderMark },
    format: exportFormatNumbers[format.value],
    email: options.email === true,
    includeHolds: options.holds ? true : undefined,
    idempotencyKey: idempotencyKey ?? context.newKey(),
    dryRun: options.dryRun === true,
  });
}

const formatByEnding: Readonly<Record<string, ExportFormat>> = {
  '': 'csv',
  '.csv': 'csv',
  '.json': 'json',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.journal': 'hledger',
  '.hledger': 'hledger',
  '.ledger': 'hledger',
};

/** What `--format` says, else the ending of the file's name; a name without one is CSV. */
function chooseFormat({ format, file }: StatementExportOptions): Outcome<ExportFormat> {
  if (format === undefined) {
    const ending = extname(file ?? '').toLowerCase();
    const known = Object.hasOwn(formatByEnding, ending) ? formatByEnding[ending] : undefined;
    if (known) return succeed(known);
    const message = `the ending ${JSON.stringify(ending)} is of no format that a statement can have`;
    const hint = `name the format: --format ${exportFormats.join('|')}`;
    return failUsage('file', message, hint);
  }
  const known = exportFormats.find((name) => name === format);
  if (known) return succeed(known);
  return failUnknown('format', format, exportFormats);
}

/** Asked again under the same key until there is an answer, within `--timeout`. */
async function createExport(
  context: Context,
  request: CreateExportRequest,
): Promise<Outcome<{ made: Export; isReplayed: boolean }>> {
  const method = StatementServiceService.createExport;
  const withdraw = context.interrupts.add(() => {
    const hint = 'whether it was, and its id: wallet exports list';
    const message = 'interrupted; the export may have been requested';
    void context.reporter.error(fail('INTERRUPTED', message, { hint }).failure);
  });
  const called = await context.caller.call(method, request, 'keyed-write').finally(withdraw);
  if (called.ok) {
    const { export: made, replayed: isReplayed } = called.value;
    if (!made) return fail('UNEXPECTED', 'the server answered without an export');
    const checked = checkExport(made);
    return checked.ok ? succeed({ made, isReplayed }) : checked;
  }
  if (called.failure.exitCode !== exitCodes.outcomeUnknown) return called;
  const hint = `run the same command with --idempotency-key ${quoteForShell(request.idempotencyKey)} cannot create a second one`;
  return { ok: false, failure: { ...called.failure, hint } };
}
