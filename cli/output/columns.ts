import { describeAddress } from '../../core/addresses.ts';
import { groupThousands } from './amount.ts';
import type { Column } from './print.ts';
import type { TableColumn } from './table.ts';
import { formatLocalTime } from './time.ts';

type Look = Omit<TableColumn, 'title'>;

/** A column of a text that others may have written, or named. An empty one is left out of cards. */
export function textColumn<Row>(
  header: string,
  title: string,
  value: (row: Row) => string | undefined,
  look: Look = {},
): Column<Row> {
  const cell = (row: Row): string | undefined => {
    const text = value(row);
    return text === '' ? undefined : text;
  };
  return { header, value, isText: true, table: { title, cell, ...look } };
}

/** A time without its seconds, and a date alone. */
export const shorterTimes: readonly number[] = [16, 10];

/** A column of times: RFC 3339 in UTC as data, the zone's clock in tables. */
export function timeColumn<Row>(
  header: string,
  title: string,
  timezone: string,
  value: (row: Row) => Date | undefined,
  look: Look = {},
): Column<Row> {
  const cell = (row: Row): string | undefined => {
    const time = value(row);
    return time && formatLocalTime(time, timezone);
  };
  const table = { title, cell, shorterWidths: shorterTimes, ...look };
  return { header, value: (row) => value(row)?.toISOString(), table };
}

/** The address of the user whose id stands in another column; left out where none is known. */
export function emailColumn<Row>(
  header: string,
  title: string,
  value: (row: Row) => string | undefined,
  look: Look = {},
): Column<Row> {
  const cell = (row: Row): string | undefined => {
    const email = value(row);
    return email === undefined ? undefined : describeAddress(email);
  };
  const table = { title, cell, isFlexible: true, isHiddenIfEmpty: true, ...look } as const;
  return { header, value, isText: true, table };
}

/** A column of amounts or counts: plain as data, with separators between thousands in tables. */
export function numberColumn<Row>(
  header: string,
  title: string,
  value: (row: Row) => string | undefined,
  look: Look = {},
): Column<Row> {
  const cell = (row: Row): string | undefined => {
    const text = value(row);
    return text === undefined ? undefined : groupThousands(text);
  };
  return { header, value, table: { title, align: 'right', cell, ...look } };
}
