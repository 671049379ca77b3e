import { describe, expect, test } from 'vitest';

import { captureIo } from '../test-support.ts';
import { formatCard } from './card.ts';
import { formatTable, layOut, loadTextWidth, type TableColumn } from './table.ts';

const columns: readonly TableColumn[] = [
  { title: 'AMOUNT', align: 'right' },
  { title: 'DESCRIPTION', isFlexible: true },
];
const manner = { output: 'table', isQuiet: false, isVerbose: false, hasColor: true } as const;

const draw = async (
  writer: Parameters<typeof formatTable>[0],
  shown: readonly TableColumn[],
  cells: string[][],
): Promise<string> => formatTable(writer, shown, cells, await loadTextWidth(cells));

const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

describe('tables', () => {
  test('a table in a pipe is plain text', async () => {
    const io = captureIo();
    const text = await draw({ io, manner }, columns, [['1.00', 'first']]);
    expect(text).toBe('AMOUNT  DESCRIPTION\n  1.00  first\n');
    expect(formatCard({ io, manner }, [['balance', '1.00']])).toBe('balance  1.00\n');
  });

  test('a table at a terminal has colours, unless they are switched off', async () => {
    const io = captureIo({ isTerminal: true });
    expect(await draw({ io, manner }, columns, [['1', 'x']])).toContain('\u001b[1mAMOUNT');
    const plain = await draw({ io, manner: { ...manner, hasColor: false } }, columns, [['1', 'x']]);
    expect(plain).not.toMatch(controls);
  });

  test('control characters are removed from the cells of tables and cards', async () => {
    const io = captureIo();
    const evil = 'a\u001b[2Jb\u009b31mc\u202ed\ne';
    expect(await draw({ io, manner }, columns, [['1', evil]])).not.toMatch(controls);
    expect(formatCard({ io, manner }, [['description', evil]])).toBe('description  a[2Jb31mcd e\n');
  });

  test('the flexible column of a table is shortened on a narrow terminal', async () => {
    const io = captureIo({ isTerminal: true, columns: 30 });
    const text = await draw({ io, manner: { ...manner, hasColor: false } }, columns, [
      ['1.00', 'a very long description of it all'],
    ]);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(30);
  });

  // Each takes two columns of a terminal (or one, with its accent) whatever its length in UTF-16.
  test.each([
    ['Chinese characters', '\u6f22\u5b57', 4],
    ['a letter with a combining accent', 'e\u0301', 1],
    ['an emoji outside the basic plane', '\u{1f600}', 2],
    ['a family of joined emoji', '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}', 2],
  ])('the next table column begins at the same place after %s', async (_, text, width) => {
    const titled: readonly TableColumn[] = [{ title: 'A' }, { title: 'B' }];
    const rows = [
      [text, 'x'],
      ['12345', 'y'],
    ];
    const lines = (await draw({ io: captureIo(), manner }, titled, rows)).split('\n');
    expect(lines[1]).toBe(`${text}${' '.repeat(5 - width)}  x`);
    expect(lines[2]).toBe('12345  y');
  });

  test('a column of Chinese characters is cut by its width in a terminal', async () => {
    const wide: readonly TableColumn[] = [{ title: 'A' }, { title: 'B', isFlexible: true }];
    const cells = [['1', '\u6f22'.repeat(20)]];
    const widthOf = await loadTextWidth(cells);
    expect(layOut(wide, cells, 43, widthOf)).toEqual(['whole', 'whole']);
    expect(layOut(wide, cells, 30, widthOf)).toEqual(['whole', 27]);
    const io = captureIo({ isTerminal: true, columns: 30 });
    const [, line = ''] = (await draw({ io, manner }, wide, cells)).split('\n');
    expect(line).toBe(`1  ${'\u6f22'.repeat(13)}\u2026`);
  });
});
