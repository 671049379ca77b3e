import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { layOut, type LayoutColumn } from './layout.ts';

/** Like the columns of transactions: seq, date, amount, id, description. */
const columns: readonly LayoutColumn[] = [
  {},
  { shorterWidths: [16, 10], priority: 5 },
  { priority: 6 },
  { isKey: true },
  { isFlexible: true },
];
const natural = [5, 19, 9, 36, 30];
const at = (room: number | undefined, canDrop = true) =>
  layOut(columns, natural, { room, canDrop });

describe('the layout of a table', () => {
  test.each([
    ['everything where there is room', 107, [5, 19, 9, 36, 30]],
    ['everything in a pipe', undefined, [5, 19, 9, 36, 30]],
    ['a cut description first', 106, [5, 19, 9, 36, 29]],
    ['then a time without its seconds', 87, [5, 16, 9, 36, 13]],
    ['then a date alone', 80, [5, 10, 9, 36, 12]],
    ['then no description', 79, [5, 19, 9, 36, undefined]],
    ['then no seq', 65, [undefined, 16, 9, 36, undefined]],
    ['then neither date nor seq', 50, [undefined, undefined, 9, 36, undefined]],
    ['at 40 columns what identifies the row', 40, [undefined, undefined, undefined, 36, undefined]],
    ['the id whole in any terminal', 10, [undefined, undefined, undefined, 36, undefined]],
  ])('a table has %s', (_, room, widths) => {
    expect(at(room)).toEqual(widths);
  });

  test('columns that were chosen by name all stay', () => {
    expect(at(40, false)).toEqual([5, 10, 9, 36, 12]);
  });

  test('ids and numbers have all of their width or none, and a table fits or is all keys', () => {
    const column = fc.record(
      {
        isKey: fc.constant(true as const),
        isId: fc.constant(true as const),
        isFlexible: fc.constant(true as const),
        shorterWidths: fc.constant([16, 10]),
        priority: fc.integer({ min: 0, max: 6 }),
      },
      { requiredKeys: [] },
    );
    const sized = fc.array(fc.tuple(column, fc.integer({ min: 1, max: 60 })), { minLength: 1 });
    fc.assert(
      fc.property(sized, fc.integer({ min: 1, max: 200 }), (some, room) => {
        const shapes = some.map(([shape]) => shape);
        const widths = some.map(([, width]) => width);
        const layout = layOut(shapes, widths, { room, canDrop: true });
        const shown = layout.filter((width) => width !== undefined);
        const total = shown.reduce((sum, width) => sum + width, 2 * Math.max(shown.length - 1, 0));
        const isAllKeys = layout.every((width, i) => width === undefined || shapes[i]?.isKey);
        expect(total <= room || isAllKeys).toBe(true);
        shapes.forEach(({ isKey, isFlexible, shorterWidths }, i) => {
          if (isKey) expect(layout[i]).toBeDefined();
          if (layout[i] === undefined || isFlexible || shorterWidths) return;
          expect(layout[i]).toBe(widths[i]);
        });
      }),
    );
  });
});
