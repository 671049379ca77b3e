import { findExponent } from '../../../core/currencies.ts';
import { canonicalText, findTextProblem, textLimits } from '../../../core/text.ts';
import type { Context } from '../../context.ts';
import { failUnknown, failUsage, succeed, type Outcome } from '../../outcome.ts';
import { readDelimiter } from '../batch/check-options.ts';
import { chooseInputFormat } from '../batch/formats.ts';
import { delimiters } from '../batch/rows/csv-rows.ts';
import type { InputFormat } from '../batch/rows/rows.ts';
import { failUnknownCurrency } from '../money/command.ts';

/** The options of `wallet group run`, as they were typed. */
export type GroupRunOptions = {
  readonly groupId?: string;
  readonly inputFormat?: string;
  readonly delimiter?: string;
  readonly user?: string;
  readonly currency?: string;
  readonly dryRun?: boolean;
};

/** A group as it was asked for, checked. */
export type GroupFile = {
  readonly file: string;
  readonly format: InputFormat;
  readonly delimiter: string;
  /** Undefined: the rows are their own name. */
  readonly name: string | undefined;
  readonly user: string | undefined;
  readonly currency: string;
  readonly isDryRun: boolean;
};

/** Checks the options of `wallet group run`. */
export function checkGroup(
  context: Pick<Context, 'settings'>,
  file: string,
  options: GroupRunOptions,
): Outcome<GroupFile> {
  const format = chooseInputFormat(file, options.inputFormat);
  if (!format.ok) return format;
  const name = options.groupId === undefined ? undefined : canonicalText(options.groupId);
  const problem = name === undefined ? undefined : findTextProblem(name, textLimits.idempotencyKey);
  if (problem !== undefined || name === '') {
    return failUsage('group-id', problem ?? 'must not be empty');
  }
  const delimiter = readDelimiter(options.delimiter);
  if (delimiter === undefined) {
    return failUnknown('delimiter', options.delimiter ?? '', Object.keys(delimiters));
  }
  const currency = canonicalText(options.currency ?? context.settings.currency).toUpperCase();
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  return succeed({
    ...{ file, format: format.value, delimiter, name, currency },
    user: options.user,
    isDryRun: options.dryRun === true,
  });
}
