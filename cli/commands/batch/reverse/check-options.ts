import { failUsage, succeed, type Outcome } from '../../../outcome.ts';
import { readMaxErrors } from '../check-options.ts';
import { chooseInputFormat, chooseResultsFormat } from '../formats.ts';
import type { ResultsFormat } from '../results/results.ts';

/** The options of `wallet batch reverse`, as they were typed. */
export type ReversalOptions = {
  readonly inputFormat?: string;
  readonly includeReplayed?: boolean;
  readonly results?: string;
  readonly overwrite?: boolean;
  readonly resume?: boolean;
  readonly dryRun?: boolean;
  readonly maxErrors?: string;
};

/** What is to be undone, as it was asked for, checked. */
export type Reversal = {
  readonly file: string;
  readonly format: ResultsFormat;
  readonly areReplayedIncluded: boolean;
  readonly results: string;
  readonly resultsFormat: ResultsFormat;
  /** With --results. */
  readonly areResultsNamed: boolean;
  readonly mayOverwrite: boolean;
  readonly mustResume: boolean;
  readonly isDryRun: boolean;
  readonly maxErrors: number;
};

/** Checks the options of `wallet batch reverse`. */
export function checkReversal(file: string, options: ReversalOptions): Outcome<Reversal> {
  const { inputFormat, results } = options;
  const format = chooseInputFormat(file, inputFormat);
  if (!format.ok) return format;
  const resultsFormat = chooseResultsFormat(results);
  if (!resultsFormat.ok) return resultsFormat;
  const maxErrors = readMaxErrors(options.maxErrors);
  if (!maxErrors.ok) return maxErrors;
  if (file === '-' && results === undefined) {
    return failUsage(
      'results',
      'is missing: name the results file when reading from standard input',
    );
  }
  const isDryRun = options.dryRun === true;
  return succeed({
    file,
    format: format.value,
    areReplayedIncluded: options.includeReplayed === true,
    results: results ?? `${file}.reversed${isDryRun ? '.dry-run' : ''}.csv`,
    resultsFormat: resultsFormat.value,
    areResultsNamed: results !== undefined,
    mayOverwrite: options.overwrite === true,
    mustResume: options.resume === true,
    isDryRun,
    maxErrors: maxErrors.value,
  });
}
