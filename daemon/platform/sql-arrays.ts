/**
 * Array literals of Postgres, made at once from the items of a batch: a column of thousands of
 * values costs the driver several times as much, since it looks at the type of each.
 */

/** Of values that need no quotes: numbers, UUIDs, hex digits, times in ISO 8601. */
export function toArray<Item>(
  items: readonly Item[],
  read: (item: Item) => string | number | bigint | undefined,
): string {
  let text = '';
  for (const item of items) text += `,${read(item) ?? 'NULL'}`;
  return `{${text.slice(1)}}`;
}

/** Of any text. */
export function toTextArray<Item>(
  items: readonly Item[],
  read: (item: Item) => string | undefined,
): string {
  let text = '';
  for (const item of items) {
    const value = read(item);
    text += value === undefined ? ',NULL' : `,"${escape(value)}"`;
  }
  return `{${text.slice(1)}}`;
}

/** Of bytea, from hex digits. */
export function toBytesArray<Item>(items: readonly Item[], read: (item: Item) => string): string {
  let text = '';
  for (const item of items) text += `,"\\\\x${read(item)}"`;
  return `{${text.slice(1)}}`;
}

const escape = (value: string): string =>
  /["\\]/.test(value) ? value.replace(/["\\]/g, '\\$&') : value;

/** Times in milliseconds to ISO 8601; what comes next is often the same. */
export function createTimeText(): (timeMs: number) => string {
  let lastMs = NaN;
  let text = '';
  return (timeMs) => {
    if (timeMs !== lastMs) {
      lastMs = timeMs;
      text = new Date(timeMs).toISOString();
    }
    return text;
  };
}
