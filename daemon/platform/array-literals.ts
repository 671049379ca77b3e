// Arrays as Postgres' text of them, written out: the driver's own way takes several times as long
// for each element. https://www.postgresql.org/docs/18/arrays.html#ARRAYS-IO

/** Values whose text needs no quotes: UUIDs, numbers, times with a T. */
export function plainArray<Item>(
  items: readonly Item[],
  toText: (item: Item) => string | number | bigint | undefined,
): string {
  let text = '';
  for (const item of items) text += `,${toText(item) ?? 'NULL'}`;
  return `{${text.slice(1)}}`;
}

/** Any text, or NULL where it is undefined. */
export function textArray<Item>(
  items: readonly Item[],
  toText: (item: Item) => string | undefined,
): string {
  let text = '';
  for (const item of items) {
    const value = toText(item);
    text += value === undefined ? ',NULL' : `,"${needsEscape.test(value) ? escape(value) : value}"`;
  }
  return `{${text.slice(1)}}`;
}

/** Times in milliseconds; neighbours often share theirs. */
export function timeArray<Item>(items: readonly Item[], toMs: (item: Item) => number): string {
  let text = '';
  let last = { ms: NaN, text: '' };
  for (const item of items) {
    const ms = toMs(item);
    if (ms !== last.ms) last = { ms, text: `,${new Date(ms).toISOString()}` };
    text += last.text;
  }
  return `{${text.slice(1)}}`;
}

/** Bytes, in hexadecimal. */
export function byteArray<Item>(items: readonly Item[], toBytes: (item: Item) => Buffer): string {
  let text = '';
  for (const item of items) text += `,"\\\\x${toBytes(item).toString('hex')}"`;
  return `{${text.slice(1)}}`;
}

const needsEscape = /["\\]/;
const escape = (text: string): string => text.replace(/["\\]/g, '\\$&');
