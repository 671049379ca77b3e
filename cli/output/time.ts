import { wallClockMs } from '../../core/time/calendar.ts';
import { formatZonedInstant } from '../../core/time/zone-clock.ts';

/** `2026-11-22 21:42:10` on a zone's clock, for people. */
export function formatLocalTime(instant: Date, timezone: string): string {
  const wall = new Date(wallClockMs(instant.getTime(), timezone)).toISOString();
  return wall.slice(0, 19).replace('T', ' ');
}

/** RFC 3339 with a zone's offset of that moment: `2026-11-22T21:42:10.123-03:00`. */
export function formatZonedTime(instant: Date, timezone: string): string {
  const instantMs = instant.getTime();
  return formatZonedInstant(instantMs, wallClockMs(instantMs, timezone) - instantMs);
}
