import { wallClockMs } from '../../core/time/calendar.ts';

/** `2026-11-22 21:42:10` on a zone's clock, for people. */
export function formatLocalTime(instant: Date, timezone: string): string {
  const wall = new Date(wallClockMs(instant.getTime(), timezone)).toISOString();
  return wall.slice(0, 19).replace('T', ' ');
}
