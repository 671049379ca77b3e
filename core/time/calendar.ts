const dayMs = 86_400_000;

/** True if this runtime knows the IANA time zone. */
export function isTimezone(timezone: string): boolean {
  try {
    formatterOf(timezone);
    return true;
  } catch {
    return false;
  }
}

/**
 * The wall clock of an instant in a zone, as the milliseconds that this clock would be in UTC:
 * a way to do arithmetic on calendar dates.
 */
export function wallClockMs(instantMs: number, timezone: string): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatterOf(timezone).formatToParts(instantMs)) {
    if (type !== 'literal') part[type] = Number(value);
  }
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  const clock = new Date(Date.UTC(2000, 0, 1, hour, minute, second));
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  const wholeMs = clock.setUTCFullYear(year, month - 1, day);
  return wholeMs + (((instantMs % 1000) + 1000) % 1000);
}

/**
 * The instant at which a zone's clock shows `wallMs` (milliseconds as if in UTC). A time that the
 * clock skips gives the instant of the jump; one that it shows twice, the first.
 */
export function instantOfWallClock(wallMs: number, timezone: string): number {
  const offsets = [wallMs - dayMs, wallMs + dayMs].map(
    (nearbyMs) => wallClockMs(nearbyMs, timezone) - nearbyMs,
  );
  const candidates = offsets.map((offsetMs) => wallMs - offsetMs).sort((a, b) => a - b);
  const exact = candidates.find((candidate) => wallClockMs(candidate, timezone) === wallMs);
  const [before = wallMs, after = wallMs] = candidates;
  return exact ?? findJump(wallMs, timezone, before, after);
}

/** The first instant at which the clock has passed a time that it skips, by bisection. */
function findJump(wallMs: number, timezone: string, beforeMs: number, afterMs: number): number {
  let [low, high] = [beforeMs, afterMs];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (wallClockMs(middle, timezone) < wallMs) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * Whether `toMs` lies at most `days` calendar days after `fromMs` on a zone's clock, so that a day
 * of 23 or 25 hours counts as one.
 */
export function isWithinDays(
  fromMs: number,
  toMs: number,
  days: number,
  timezone: string,
): boolean {
  return wallClockMs(toMs, timezone) <= wallClockMs(fromMs, timezone) + days * dayMs;
}

/** The same time on a zone's clock so many calendar days later, or earlier if negative. */
export function addDays(instantMs: number, days: number, timezone: string): number {
  return instantOfWallClock(wallClockMs(instantMs, timezone) + days * dayMs, timezone);
}

const yearOneMs = Date.parse('0001-01-02T00:00:00Z');
const yearTenThousandMs = Date.parse('9999-12-31T00:00:00Z');

/** True in the years 1 to 9999, which protobuf's Timestamp and Postgres both can hold. */
export function isStorableTime(instantMs: number): boolean {
  return instantMs >= yearOneMs && instantMs < yearTenThousandMs;
}

/** `2026-11-22` to the milliseconds of its midnight as if in UTC; undefined if no such date. */
export function parseDate(text: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!match) return undefined;
  const wallMs = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(wallMs) || !new Date(wallMs).toISOString().startsWith(text)
    ? undefined
    : wallMs;
}

/** The next calendar day's midnight, on the same wall clock. */
export const nextDay = (wallMs: number): number => wallMs + dayMs;

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timezone: string): Intl.DateTimeFormat {
  const known = formatters.get(timezone);
  if (known) return known;
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  if (formatters.size < 1000) formatters.set(timezone, formatter);
  return formatter;
}

const instantPattern = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

/** A time of RFC 3339 with an offset, in milliseconds; undefined if the text is none. */
export function parseInstant(text: string): number | undefined {
  const instantMs = instantPattern.test(text) ? Date.parse(text) : Number.NaN;
  const isDay = parseDate(text.slice(0, 10)) !== undefined;
  return isDay && !Number.isNaN(instantMs) ? instantMs : undefined;
}
