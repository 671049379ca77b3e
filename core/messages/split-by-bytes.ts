/**
 * Splits items into chunks of at most `maxBytes` by `sizeOf`, an upper bound of an item's encoded
 * size. A larger item is a chunk of its own; no items give no chunk.
 */
export function* splitByBytes<Item>(
  items: readonly Item[],
  maxBytes: number,
  sizeOf: (item: Item) => number,
): Generator<Item[], void> {
  let chunk: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item);
    if (chunk.length > 0 && bytes + size > maxBytes) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(item);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
