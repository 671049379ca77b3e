import { findExponent } from '../../../core/currencies.ts';
import { canonicalText, findTextProblem, textLimits } from '../../../core/text.ts';
import type { Context } from '../../context.ts';
import { failUnknown, failUsage, succeed, type Outcome } from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { chooseInputFormat, chooseResultsFormat } from './formats.ts';
import type { ResultsFormat } from './results/results.ts';
import { delimiters } from './rows/csv-rows.ts';
import type { InputFormat } from './rows/rows.ts';

/** The options of `wallet batch run`, as they were typed. */
export type BatchRunOptions = {
  readonly inputFormat?: string;
  readonly batchId?: string;
  readonly user?: string;
  readonly currency?: string;
  readonly results?: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
  readonly maxErrors?: string;
  readonly delimiter?: string;
  readonly allowEmpty?: boolean;
  readonly allowNewRows?: boolean;
};

/** A batch as it was asked for, checked. */
export type Batch = {
  readonly file: string;
  readonly format: InputFormat;
  readonly batchId: string | undefined;
  readonly user: string | undefined;
  readonly currency: string;
  readonly results: string;
  readonly resultsFormat: ResultsFormat;
  /** With --results. */
  readonly areResultsNamed: boolean;
  readonly mayOverwrite: boolean;
  readonly mustResume: boolean;
  readonly isDryRun: boolean;
  readonly maxErrors: number;
  readonly delimiter: string;
  readonly mayBeEmpty: boolean;
  readonly mayHaveNewRows: boolean;
};

/** Checks the options of `wallet batch run`. */
export function checkBatch(
  context: Pick<Context, 'settings'>,
  file: string,
  options: BatchRunOptions,
): Outcome<Batch> {
  const { inputFormat, results } = options;
  const batchId = options.batchId === undefined ? undefined : canonicalText(options.batchId);
  const format = chooseInputFormat(file, inputFormat);
  if (!format.ok) return format;
  const problem =
    batchId === undefined ? undefined : findTextProblem(batchId, textLimits.idempotencyKey);
  if (problem !== undefined || batchId === '') {
    return failUsage('batch-id', problem ?? 'must not be empty');
  }
  const maxErrors = readMaxErrors(options.maxErrors);
  if (!maxErrors.ok) return maxErrors;
  if (file === '-' && results === undefined) {
    return failUsage(
      'results',
      'is missing: name the results file when reading from standard input',
    );
  }
  const resultsFormat = chooseResultsFormat(results);
  if (!resultsFormat.ok) return resultsFormat;
  const delimiter = readDelimiter(options.delimiter);
  if (delimiter === undefined) {
    return failUnknown('delimiter', options.delimiter ?? '', Object.keys(delimiters));
  }
  const currency = canonicalText(options.currency ?? context.settings.currency).toUpperCase();
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const isDryRun = options.dryRun === true;
  const fallback = `${file}.${isDryRun ? 'dry-run' : 'results'}.csv`;
  return succeed({
    file,
    format: format.value,
    batchId,
    user: options.user,
    currency,
    results: results ?? fallback,
    resultsFormat: resultsFormat.value,
    areResultsNamed: results !== undefined,
    mayOverwrite: options.overwrite === true,
    mustResume: options.resume === true,
    isDryRun,
    maxErrors: maxErrors.value,
    delimiter,
    mayBeEmpty: options.allowEmpty === true,
    mayHaveNewRows: options.allowNewRows === true,
  });
}

/** The value of --max-errors; without one, no number of errors stops a run. */
export function readMaxErrors(text: string | undefined): Outcome<number> {
  if (text === undefined) return succeed(Infinity);
  if (!/^[1-9]\d{0,8}$/.test(text)) return failUsage('max-errors', 'must be a number above 0');
  return succeed(Number(text));
}

/** A delimiter by its name or as it is; undefined for any other text. */
export function readDelimiter(text = 'comma'): string | undefined {
  if (text === '\\t') return delimiters.tab;
  const found = Object.entries(delimiters).find(([name, one]) => text === name || text === one);
  return found?.[1];
}
