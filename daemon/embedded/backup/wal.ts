/** A file of `pg_wal`: timeline, number of the log and number within it, as 8 hex digits each. */
const logBytes = 0x1_0000_0000;

/**
 * The names of all WAL segments from `first` to `last`, both included; none if `last` is before
 * `first`. `segmentBytes` is `wal_segment_size`.
 */
export function listSegments(first: string, last: string, segmentBytes: number): string[] {
  const names: string[] = [];
  const end = numberOf(last, segmentBytes);
  for (let number = numberOf(first, segmentBytes); number <= end; number += 1) {
    names.push(nameOf(timelineOf(first), number, segmentBytes));
  }
  return names;
}

/** The segment after this one. */
export const nextSegment = (name: string, segmentBytes: number): string =>
  nameOf(timelineOf(name), numberOf(name, segmentBytes) + 1, segmentBytes);

/** The position of a segment's first byte, as Postgres writes it: `A/F1000000`. */
export function startOf(name: string, segmentBytes: number): string {
  const log = Number.parseInt(name.slice(8, 16), 16);
  const offset = Number.parseInt(name.slice(16, 24), 16) * segmentBytes;
  return `${toHex(log)}/${toHex(offset)}`;
}

const timelineOf = (name: string): string => name.slice(0, 8);

function numberOf(name: string, segmentBytes: number): number {
  const log = Number.parseInt(name.slice(8, 16), 16);
  return log * (logBytes / segmentBytes) + Number.parseInt(name.slice(16, 24), 16);
}

function nameOf(timeline: string, number: number, segmentBytes: number): string {
  const perLog = logBytes / segmentBytes;
  const parts = [Math.floor(number / perLog), number % perLog];
  return timeline + parts.map((part) => toHex(part).padStart(8, '0')).join('');
}

const toHex = (value: number): string => value.toString(16).toUpperCase();
