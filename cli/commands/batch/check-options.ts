import { findTextProblem, textLimits } from '../../../core/text.ts';
import type { Context } from '../../context.ts';
import { failUsage, succeed, type Outcome } from '../../outcome.ts';
import { findReadProblem } from './results/journal.ts';
import type { ResultsFormat } from './results/results.ts';
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
  readonly mustResume: boolean;
  readonly isDryRun: boolean;
  readonly maxErrors: number;
};

/** Checks the options of `wallet batch run`, and that its file can be read. */
export async function checkBatch(
  context: Context,
  file: string,
  options: BatchRunOptions,
): Promise<Outcome<Batch>> {
  const { inputFormat, batchId, results } = options;
  if (inputFormat !== undefined && inputFormat !== 'csv' && inputFormat !== 'ndjson') {
    return failUsage('input-format', `${JSON.stringify(inputFormat)} is neither csv nor ndjson`);
  }
  const problem =
    batchId === undefined ? undefined : findTextProblem(batchId, textLimits.idempotencyKey);
  if (problem !== undefined || batchId === '') {
    return failUsage('batch-id', problem ?? 'must not be empty');
  }
  const maxErrors = options.maxErrors === undefined ? Infinity : Number(options.maxErrors);
  if (options.maxErrors !== undefined && !/^[1-9]\d{0,8}$/.test(options.maxErrors)) {
    return failUsage('max-errors', 'must be a number above 0');
  }
  if (file === '-' && results === undefined) {
    return failUsage(
      'results',
      'is missing: name the results file when reading from standard input',
    );
  }
  if (file !== '-') {
    const unreadable = await findReadProblem(file);
    if (unreadable !== undefined) return failUsage('file', `cannot read ${file}: ${unreadable}`);
  }
  const isDryRun = options.dryRun === true;
  const fallback = `${file}.${isDryRun ? 'dry-run' : 'results'}.csv`;
  return succeed({
    file,
    format: inputFormat ?? (/\.(ndjson|jsonl)$/i.test(file) ? 'ndjson' : 'csv'),
    batchId,
    user: options.user,
    currency: options.currency ?? context.settings.currency,
    results: results ?? fallback,
    resultsFormat: /\.(ndjson|jsonl)$/i.test(results ?? '') ? 'ndjson' : 'csv',
    mustResume: options.resume === true,
    isDryRun,
    maxErrors,
  });
}
