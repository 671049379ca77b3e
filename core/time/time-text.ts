import { instantOfWallClock, isStorableTime, nextDay, parseDate, wallClockMs } from './calendar.ts';

/** A day or a month: half-open, in milliseconds. A moment ends when it starts. */
export type TimeSpan = { readonly startMs: number; readonly endMs: number };

/** What a relative time is relative to. */
export type TimeBase = {
  readonly nowMs: number;
  readonly timezone: string;
  /** Which `monday` is meant: the last one, today included, or the next one. Default last. */
  readonly weekdays?: 'last' | 'next';
};

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

const rfc3339Pattern =
  /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;
const localPattern = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?$/;

const weekdayNames = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

/**
 * Reads a time as people write it: a date, a month, a time without an offset on the zone's clock,
 * RFC 3339, or a word. Undefined for anything else. A date and a month last until the next begins.
 */
export function readTime(text: string, base: TimeBase): TimeSpan | undefined {
  return readWord(text.toLowerCase(), base) ?? readDigits(text, base);
}

function readWord(word: string, { nowMs, timezone, weekdays }: TimeBase): TimeSpan | undefined {
  const dayFromToday = (days: number): TimeSpan =>
    spanOfDays(dateOf(nowMs, timezone) + days * dayMs, timezone);
  if (word === 'now') return momentAt(nowMs);
  if (word === 'today') return dayFromToday(0);
  if (word === 'yesterday') return dayFromToday(-1);
  if (word === 'tomorrow') return dayFromToday(1);
  const wanted = weekdayNames.findIndex((name) => name === word || name.slice(0, 3) === word);
  if (wanted < 0) return undefined;
  const today = new Date(dateOf(nowMs, timezone)).getUTCDay();
  const back = (today - wanted + 7) % 7;
  return dayFromToday(weekdays === 'next' ? 7 - back : -back);
}

function readDigits(text: string, { timezone }: TimeBase): TimeSpan | undefined {
  const dateMs = parseDate(text);
  if (dateMs !== undefined) return spanOfDays(dateMs, timezone);
  if (/^\d{4}-\d{2}$/.test(text)) return readMonth(text, timezone);
  const local = localPattern.exec(text);
  if (local) {
    const [, date = '', time = '', seconds = ':00'] = local;
    if (parseDate(date) === undefined) return undefined;
    const localMs = Date.parse(`${date}T${time}${seconds}Z`);
    return Number.isNaN(localMs) ? undefined : momentAt(instantOfWallClock(localMs, timezone));
  }
  const instantMs = readInstant(text);
  return instantMs === undefined ? undefined : momentAt(instantMs);
}

/** A time of RFC 3339 with its offset, in milliseconds; undefined for anything else. */
export function readInstant(text: string): number | undefined {
  if (!rfc3339Pattern.test(text) || parseDate(text.slice(0, 10)) === undefined) return undefined;
  const instantMs = Date.parse(text.replace(' ', 'T'));
  return Number.isNaN(instantMs) ? undefined : instantMs;
}

/** `2026-10` as that month of the zone's calendar; undefined if there is no such month. */
export function readMonth(text: string, timezone: string): TimeSpan | undefined {
  const firstMs = /^\d{4}-\d{2}$/.test(text) ? parseDate(`${text}-01`) : undefined;
  if (firstMs === undefined) return undefined;
  const nextMs = addMonths(firstMs, 1);
  return {
    startMs: instantOfWallClock(firstMs, timezone),
    endMs: instantOfWallClock(nextMs, timezone),
  };
}

/**
 * Where `--last` begins: `12h` so many hours before now, `30d` at the beginning of the first of so
 * many calendar days of the zone, today being the last; likewise `2w`, `3mo`, `1y`, so that `1mo`
 * is a whole month of days. Undefined for anything else.
 */
export function readLast(text: string, { nowMs, timezone }: TimeBase): number | undefined {
  const match = /^([1-9][0-9]{0,4})(h|d|w|mo|y)$/.exec(text.toLowerCase());
  if (!match) return undefined;
  const count = Number(match[1]);
  if (match[2] === 'h') return nowMs - count * hourMs;
  const tomorrowMs = nextDay(dateOf(nowMs, timezone));
  const firstDayMs = {
    d: () => tomorrowMs - count * dayMs,
    w: () => tomorrowMs - count * 7 * dayMs,
    mo: () => addMonths(tomorrowMs, -count),
    y: () => addMonths(tomorrowMs, -12 * count),
  }[match[2] as 'd' | 'w' | 'mo' | 'y']();
  return isStorableTime(firstDayMs) ? instantOfWallClock(firstDayMs, timezone) : undefined;
}

const momentAt = (instantMs: number): TimeSpan => ({ startMs: instantMs, endMs: instantMs });

const spanOfDays = (wallMs: number, timezone: string): TimeSpan => ({
  startMs: instantOfWallClock(wallMs, timezone),
  endMs: instantOfWallClock(nextDay(wallMs), timezone),
});

/** Midnight of a zone's date, as the milliseconds that it would be in UTC. */
const dateOf = (instantMs: number, timezone: string): number =>
  Math.floor(wallClockMs(instantMs, timezone) / dayMs) * dayMs;

/** The same day of another month, or that month's last. */
function addMonths(wallMs: number, months: number): number {
  const date = new Date(wallMs);
  const first = new Date(Date.UTC(0, 0, 1));
  first.setUTCFullYear(date.getUTCFullYear(), date.getUTCMonth() + months, 1);
  const last = new Date(first);
  last.setUTCMonth(first.getUTCMonth() + 1, 0);
  return first.setUTCDate(Math.min(date.getUTCDate(), last.getUTCDate()));
}
