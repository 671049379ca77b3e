import { instantOfWallClock, nextDay, parseDate } from '../../../core/time/calendar.ts';
import { failUsage, succeed, type Outcome } from '../../outcome.ts';

const rfc3339Pattern =
  /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

const localPattern = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?$/;

/**
 * Reads a date or an RFC 3339 time, without an offset on the zone's clock. A date alone is its
 * first instant in the zone, or, with `dayEnd`, the first instant of the day after.
 */
export function parseTime(
  field: string,
  text: string,
  timezone: string,
  edge: 'dayStart' | 'dayEnd',
): Outcome<Date> {
  const wallMs = parseDate(text);
  if (wallMs !== undefined) {
    const edgeMs = edge === 'dayStart' ? wallMs : nextDay(wallMs);
    return succeed(new Date(instantOfWallClock(edgeMs, timezone)));
  }
  const local = localPattern.exec(text);
  if (local) {
    const [, date = '', time = '', seconds = ':00'] = local;
    const localMs = Date.parse(`${date}T${time}${seconds}Z`);
    const isReal = parseDate(date) !== undefined && !Number.isNaN(localMs);
    if (isReal) return succeed(new Date(instantOfWallClock(localMs, timezone)));
  }
  const instantMs = rfc3339Pattern.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  const isRealDate = parseDate(text.slice(0, 10)) !== undefined;
  if (Number.isNaN(instantMs) || !isRealDate) {
    return failUsage(
      field,
      `${JSON.stringify(text)} is not a time: write a date like 2026-11-22 or ` +
        'a time like 2026-11-22T18:00 or 2026-11-22T18:00:00-03:00',
    );
  }
  return succeed(new Date(instantMs));
}
