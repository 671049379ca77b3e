import { wallClockMs } from './calendar.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Enough for some ten years, at a few bytes each. */
const maxDays = 4_000;

/**
 * By how many milliseconds a zone's clock is ahead of UTC at an instant, made for many instants:
 * the time zone database is asked twice for a day (UTC) on which the clock is not changed, and
 * otherwise once for each instant. No zone changes its clock to and fro within a day.
 */
export function createZoneClock(timezone: string): (instantMs: number) => number {
  const offsetOf = (instantMs: number): number => wallClockMs(instantMs, timezone) - instantMs;
  const steady = new Map<number, number | undefined>();
  let lastDay = NaN;
  let lastOffsetMs = 0;
  return (instantMs) => {
    const day = Math.floor(instantMs / dayMs);
    if (day === lastDay) return lastOffsetMs;
    if (!steady.has(day)) {
      if (steady.size >= maxDays) steady.clear();
      const atStart = offsetOf(day * dayMs);
      steady.set(day, atStart === offsetOf((day + 1) * dayMs) ? atStart : undefined);
    }
    const offsetMs = steady.get(day);
    if (offsetMs === undefined) return offsetOf(instantMs);
    [lastDay, lastOffsetMs] = [day, offsetMs];
    return offsetMs;
  };
}

/** RFC 3339 with the zone's offset of that moment: `2026-11-22T21:42:10.123-03:00`. */
export function formatZonedInstant(instantMs: number, offsetMs: number): string {
  return new Date(instantMs + offsetMs).toISOString().slice(0, 23) + formatOffset(offsetMs);
}

/** `-03:00`, to the minute. */
export function formatOffset(offsetMs: number): string {
  const minutes = Math.round(offsetMs / 60_000);
  const absolute = Math.abs(minutes);
  const digits = (value: number): string => String(value).padStart(2, '0');
  const offset = `${digits(Math.floor(absolute / 60))}:${digits(absolute % 60)}`;
  return `${minutes < 0 ? '-' : '+'}${offset}`;
}

/** Writes many instants in one zone, those of an hour after each other fastest. As above. */
export function createZonedFormatter(timezone: string): (instantMs: number) => string {
  const offsetOf = createZoneClock(timezone);
  let hour = NaN;
  let offsetMs = NaN;
  let before = '';
  let after = '';
  return (instantMs) => {
    const offset = offsetOf(instantMs);
    const wallMs = instantMs + offset;
    const wallHour = Math.floor(wallMs / hourMs);
    if (wallHour !== hour || offset !== offsetMs) {
      [hour, offsetMs] = [wallHour, offset];
      const text = formatZonedInstant(wallHour * hourMs - offset, offset);
      [before, after] = [text.slice(0, 14), text.slice(23)];
    }
    const ms = wallMs - wallHour * hourMs;
    const thousandths = String(ms % 1_000).padStart(3, '0');
    return `${before}${twoDigits[Math.floor(ms / 60_000)]}:${twoDigits[Math.floor(ms / 1_000) % 60]}.${thousandths}${after}`;
  };
}

const twoDigits = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, '0'));
