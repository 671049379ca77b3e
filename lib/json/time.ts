import { wallClockMs } from '../../core/time/calendar.ts';
import { formatZonedInstant } from '../../core/time/zone-clock.ts';

/** RFC 3339 with a zone's offset of that moment: `2026-11-22T21:42:10.123-03:00`. */
export function formatZonedTime(instant: Date, timezone: string): string {
  const instantMs = instant.getTime();
  return formatZonedInstant(instantMs, wallClockMs(instantMs, timezone) - instantMs);
}
