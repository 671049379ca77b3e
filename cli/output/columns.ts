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
  const table = { title, cell, ...look };
  return { header, value: (row) => value(row)?.toISOString(), table };
}
