import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import { quoteForShell } from '../../../core/shell-word.ts';
import { addDays } from '../../../core/time/calendar.ts';
import type { Operation as OperationName } from '../../../core/operations.ts';
import type { GenerateStatementRequest } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { failUnknown, succeed, type Failed, type Outcome } from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import {
  addTimeRangeOptions,
  readTimeRange,
  type TimeRange,
  type TimeRangeOptions,
} from '../shared/times.ts';
import { addWalletOptions, zoneOption } from '../shared/options.ts';
import { resolveUser } from '../users/actor.ts';
import { operationNumbers } from '../../../lib/json/names.ts';
import { formatZonedTime } from '../../../lib/json/time.ts';

/** Whose statement, and of when: --user, --currency, a range of times and --timezone. */
export function addRangeOptions(command: Command): Command {
  const defaults = { from: ' (default: 15 days before --to)', to: ' (default: now)' };
  return addTimeRangeOptions(addWalletOptions(command), defaults).option(...zoneOption);
}

/** Whose statement, and of when, as it was typed. */
export type RangeOptions = TimeRangeOptions & {
  readonly user?: string;
  readonly currency?: string;
};

/** The same, as the server is asked. */
export type StatementRange = Pick<TimeRange, 'from' | 'to'> & {
  readonly userId: string;
  readonly currency: string;
  readonly timezone: string;
};

/**
 * Reads a range; what is left out is the server's to fill in. A relative one is noted, unless it is
 * going to be printed with the statement.
 */
export async function readRange(
  context: Context,
  options: RangeOptions,
  isPrinted: boolean,
): Promise<Outcome<StatementRange>> {
  const { currency: chosen, timezone } = context.settings;
  const currency = options.currency ?? chosen;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const range = readTimeRange(context, options);
  if (!range.ok) return range;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const { from, to, note } = range.value;
  if (note !== undefined && !isPrinted) await context.reporter.note(note);
  return succeed({ userId: user.value?.id ?? '', currency, from, to, timezone });
}

/** Of `--holds` with the format hledger. */
export const noHoldsInJournal =
  'a journal has movements of money only, and no holds: leave out --holds';

/** A range that is too long can begin where it was meant to. */
export function suggestTo(
  failed: Failed,
  typed: string | undefined,
  { from, timezone }: GenerateStatementRequest,
): Failed {
  const { failure } = failed;
  const isWord = typed === undefined || /^\D/.test(typed);
  if (failure.reason !== 'RANGE_TOO_LONG' || !from || isWord) return failed;
  const days = Number(/ (\d+) days/.exec(failure.message)?.[1] ?? '15');
  const endMs = addDays(from.getTime(), days, timezone);
  // A date includes its day, a time excludes itself.
  const to =
    typed.length === 10
      ? formatZonedTime(new Date(endMs - 1), timezone).slice(0, 10)
      : formatZonedTime(new Date(endMs), timezone);
  const hint = `the first ${days} days of it: --from ${quoteForShell(typed)} --to ${to}`;
  return { ok: false, failure: { ...failure, hint } };
}

/** The operations that a statement shall be of, each once; none stands for all. */
export function readOperations(texts: readonly string[] = []): Outcome<Operation[]> {
  const known = Object.keys(operationNumbers) as OperationName[];
  const numbers = new Set<Operation>();
  for (const text of texts) {
    const name = known.find((candidate) => candidate === text);
    if (!name) return failUnknown('operation', text, known);
    numbers.add(operationNumbers[name]);
  }
  return succeed([...numbers]);
}
