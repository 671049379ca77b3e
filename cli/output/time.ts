import { wallClockMs } from '../../core/time/calendar.ts';

/** `2026-11-22 21:42:10` on a zone's clock, for people. */
export function formatLocalTime(instant: Date, timezone: string): string {
  const wall = new Date(wallClockMs(instant.getTime(), timezone)).toISOString();
  return wall.slice(0, 19).replace('T', ' ');
}

/** RFC 3339 with a zone's offset of that moment: `2026-11-22T21:42:10.123-03:00`. */
export function formatZonedTime(instant: Date, timezone: string): string {
  const wallMs = wallClockMs(instant.getTime(), timezone);
  const offsetMinutes = Math.round((wallMs - instant.getTime()) / 60_000);
  const minutes = Math.abs(offsetMinutes);
  const digits = (value: number): string => String(value).padStart(2, '0');
  const offset = `${digits(Math.floor(minutes / 60))}:${digits(minutes % 60)}`;
  const wall = new Date(wallMs).toISOString().slice(0, 23);
  return `${wall}${offsetMinutes < 0 ? '-' : '+'}${offset}`;
}
