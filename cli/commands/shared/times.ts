import type { Command } from 'commander';

import { readLast, readMonth, readTime, type TimeSpan } from '../../../core/time/time-text.ts';
import type { Context } from '../../context.ts';
import { failUsage, succeed, type Outcome } from '../../outcome.ts';
import { formatLocalTime } from '../../output/time.ts';

/** The forms of one time, for error texts. */
const timeForms =
  'a date like 2026-11-22, a month like 2026-11, a time like 2026-11-22T18:00 or ' +
  '2026-11-22T18:00:00-03:00, now, today, yesterday, tomorrow, or a day like monday';

type Clock = Pick<Context, 'clock' | 'settings'>;

/** Reads a time; a date, a month or a day of the week is a span. */
export function parseTime(
  field: string,
  text: string,
  { clock, settings }: Clock,
  weekdays: 'last' | 'next' = 'last',
): Outcome<TimeSpan> {
  const base = { nowMs: clock.now(), timezone: settings.timezone, weekdays };
  const span = readTime(text, base);
  return span
    ? succeed(span)
    : failUsage(field, `${JSON.stringify(text)} is not a time: write ${timeForms}`);
}

/** From when to when, as it was typed. */
export type TimeRangeOptions = {
  readonly from?: string;
  readonly to?: string;
  readonly last?: string;
  readonly month?: string;
};

/** The same as instants, half-open. What is left out is open. */
export type TimeRange = {
  readonly from: Date | undefined;
  readonly to: Date | undefined;
  /** What a relative range came to; undefined where the times were written out. */
  readonly note: string | undefined;
};

/** Adds --from, --to, --last and --month. */
export function addTimeRangeOptions(
  command: Command,
  defaults: { readonly from: string; readonly to: string } = { from: '', to: '' },
): Command {
  return command
    .option('--from <TIME>', `a date or a time${defaults.from}`)
    .option('--to <TIME>', `a date (included) or a time (not included)${defaults.to}`)
    .option('--last <SPAN>', 'the last days, today included, like 30d; also 12h, 2w, 3mo, 1y')
    .option('--month <MONTH>', 'a month, like 2026-10');
}

/** Reads a range. USAGE for a wrong form, for options that exclude each other, for the future. */
export function readTimeRange(context: Clock, options: TimeRangeOptions): Outcome<TimeRange> {
  const given = (['last', 'month', 'from', 'to'] as const).filter(
    (name) => options[name] !== undefined,
  );
  const [first, second] = given;
  if (first && second && (first === 'last' || first === 'month')) {
    return failUsage(first, `--${first} and --${second} exclude each other`);
  }
  const bounds = readBounds(context, options);
  if (!bounds.ok) return bounds;
  const { startMs, endMs } = bounds.value;
  if (startMs !== undefined && startMs > context.clock.now()) {
    const field = options.month === undefined ? 'from' : 'month';
    return failUsage(field, `--${field} must not be in the future`);
  }
  if (startMs !== undefined && endMs !== undefined && startMs >= endMs) {
    return failUsage('from', '--from must be before --to');
  }
  const isWrittenOut = [options.from, options.to].every((text) => /^\d|^$/.test(text ?? ''));
  const isRelative = options.last !== undefined || options.month !== undefined || !isWrittenOut;
  const toDate = (ms: number | undefined): Date | undefined =>
    ms === undefined ? undefined : new Date(ms);
  const range = { from: toDate(startMs), to: toDate(endMs) };
  return succeed({
    ...range,
    note: isRelative ? describeRange(range, context.settings.timezone) : undefined,
  });
}

type Bounds = { readonly startMs: number | undefined; readonly endMs: number | undefined };

function readBounds(context: Clock, { last, month, from, to }: TimeRangeOptions): Outcome<Bounds> {
  const base = { nowMs: context.clock.now(), timezone: context.settings.timezone };
  if (last !== undefined) {
    const startMs = readLast(last, base);
    return startMs === undefined
      ? failUsage(
          'last',
          `${JSON.stringify(last)} is not a span: write hours (12h), days (30d), weeks (2w), ` +
            'months (3mo) or years (1y)',
        )
      : succeed({ startMs, endMs: undefined });
  }
  if (month !== undefined) {
    const span = readMonth(month, base.timezone);
    return span
      ? succeed({ startMs: span.startMs, endMs: endOf(span, base.nowMs) })
      : failUsage('month', `${JSON.stringify(month)} is not a month: write it like 2026-10`);
  }
  const start = from === undefined ? undefined : parseTime('from', from, context);
  if (start && !start.ok) return start;
  const end = to === undefined ? undefined : parseTime('to', to, context);
  if (end && !end.ok) return end;
  const isWord = /^\D/.test(to ?? '');
  const endMs = end && isWord ? endOf(end.value, base.nowMs) : end?.value.endMs;
  return succeed({ startMs: start?.value.startMs, endMs });
}

/** Where a span ends; this month and today are open, as they have not ended. */
const endOf = ({ startMs, endMs }: TimeSpan, nowMs: number): number | undefined =>
  startMs <= nowMs && nowMs <= endMs ? undefined : endMs;

/** What was meant, for people who wrote `--last 30d`. */
function describeRange({ from, to }: Pick<TimeRange, 'from' | 'to'>, timezone: string): string {
  const start = from === undefined ? '' : `from ${formatLocalTime(from, timezone)} `;
  const end = to === undefined ? 'until now' : `to ${formatLocalTime(to, timezone)} (not included)`;
  return `${start}${end}, ${timezone}`;
}
