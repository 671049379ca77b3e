import { expect, it } from 'vitest';

import { createPages, type SpareRooms } from './copy-pages.ts';

const rowsInAll = 200_000;
const rowBytes = 200;

/** Reads all rows, each with its number, and gives the memory that their pages lay in. */
async function readAll(
  spare?: SpareRooms,
): Promise<{ rows: number; memory: Set<ArrayBufferLike> }> {
  const pages = createPages(
    {
      first: -1,
      read: (after, limit, take) => {
        const end = Math.min(rowsInAll, after + 1 + limit);
        for (let n = after + 1; n < end; n += 1) {
          const row = Buffer.alloc(rowBytes);
          row.writeInt32BE(n);
          take(row, 0, rowBytes);
        }
        return Promise.resolve();
      },
      placeOf: (bytes, start) => bytes.readInt32BE(start),
    },
    { bytes: 64 * 1024, rows: 2_000, ...(spare ? { spare } : {}) },
  );
  const memory = new Set<ArrayBufferLike>();
  let rows = 0;
  for (let isLast = false; !isLast;) {
    const page = await pages.next();
    for (let i = 0; i < page.rows; i += 1) {
      if (page.bytes.readInt32BE(page.starts[i]) !== rows + i) throw new Error(`not row ${i}`);
    }
    memory.add(page.bytes.buffer);
    rows += page.rows;
    isLast = page.isLast;
  }
  await pages.end();
  return { rows, memory };
}

it('all rows are read, in memory that does not grow with their number', async () => {
  const { rows, memory } = await readAll();
  expect(rows).toBe(rowsInAll);
  // Two pages; each may have grown once or twice at first.
  expect(memory.size).toBeLessThanOrEqual(6);
  const bytes = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(bytes).toBeLessThan(1024 * 1024);
});

it('readers one after the other use the same memory', async () => {
  const spare: SpareRooms = [];
  await readAll(spare);
  const kept = new Set(spare.map(({ bytes }) => bytes.buffer));
  const { memory } = await readAll(spare);
  expect([...memory].filter((buffer) => !kept.has(buffer))).toEqual([]);
});
