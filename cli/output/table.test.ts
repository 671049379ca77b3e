import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';

import { captureIo } from '../test-support.ts';
import { formatCard } from './card.ts';
import { createTableWriter, type TableColumn } from './table.ts';

const columns: readonly TableColumn[] = [
  { title: 'AMOUNT', align: 'right' },
  { title: 'DESCRIPTION', isFlexible: true },
];
const manner = { output: 'table', isQuiet: false, isVerbose: false, hasColor: true } as const;
const plain = { ...manner, hasColor: false };

type Writer = Parameters<typeof createTableWriter>[0];

/** The text of a table that gets its rows page by page. */
async function draw(
  writer: Writer,
  shown: readonly TableColumn[],
  ...pages: string[][][]
): Promise<string> {
  const room = writer.io.stdout.columns;
  const table = createTableWriter(writer, shown, { room, canDrop: true });
  let text = '';
  for (const page of pages) text += await table.addRows(page);
  return text;
}

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
    expect(await draw({ io, manner: plain }, columns, [['1', 'x']])).not.toMatch(controls);
  });

  test('control characters are removed from the cells of tables and cards', async () => {
    const io = captureIo();
    const evil = 'a\u001b[2Jb\u009b31mc\u202ed\ne';
    expect(await draw({ io, manner }, columns, [['1', evil]])).not.toMatch(controls);
    expect(formatCard({ io, manner }, [['description', evil]])).toBe('description  a[2Jb31mcd e\n');
  });

  test('the flexible column of a table is shortened on a narrow terminal', async () => {
    const io = captureIo({ isTerminal: true, columns: 30 });
    const row = ['1.00', 'a very long description of it all'];
    const text = await draw({ io, manner: plain }, columns, [row]);
    expect(text).toBe('AMOUNT  DESCRIPTION\n  1.00  a very long descripti…\n');
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
    const at = (width: number) => captureIo({ isTerminal: true, columns: width });
    const whole = await draw({ io: at(43), manner }, wide, cells);
    expect(whole).toContain('\u6f22'.repeat(20));
    const [, line] = (await draw({ io: at(30), manner }, wide, cells)).split('\n');
    expect(line).toBe(`1  ${'\u6f22'.repeat(13)}\u2026`);
  });

  test('no text is cut inside a character, and no cut text is wider than its column', async () => {
    const one: readonly TableColumn[] = [{ title: 'T', isFlexible: true, leastWidth: 1 }];
    const room = fc.integer({ min: 2, max: 30 });
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), room, async (text, width) => {
        const io = captureIo({ isTerminal: true, columns: width });
        const [, line = ''] = (await draw({ io, manner: plain }, one, [[text]])).split('\n');
        expect(stringWidth(line)).toBeLessThanOrEqual(width);
        expect(line.isWellFormed()).toBe(text.isWellFormed());
      }),
    );
  });
});

describe('tables that are written page by page', () => {
  const listed: readonly TableColumn[] = [
    { title: 'AMOUNT', align: 'right' },
    { title: 'ID', isId: true },
    { title: 'DESCRIPTION', isFlexible: true },
  ];
  const first = [
    ['100.00', 'id-1', 'one'],
    ['5.00', 'id-2', 'a long description'],
  ];

  test('the titles come once, and later pages have the columns of the first', async () => {
    const io = captureIo({ isTerminal: true, columns: 80 });
    expect(await draw({ io, manner: plain }, listed, first, [['7.00', 'id-3', 'x']])).toBe(
      'AMOUNT  ID    DESCRIPTION\n' +
        '100.00  id-1  one\n' +
        '  5.00  id-2  a long description\n' +
        '  7.00  id-3  x\n',
    );
  });

  test('at a terminal a later description is cut to the column, and never an id or a number', async () => {
    const io = captureIo({ isTerminal: true, columns: 80 });
    const later = [['123456.00', 'id-1234567', 'a description that is longer than the first ones']];
    const text = await draw({ io, manner: plain }, listed, first, later);
    expect(text.split('\n')[3]).toBe('123456.00  id-1234567  a descri…');
  });

  test('a longer text takes the blanks of the texts behind it', async () => {
    const io = captureIo({ isTerminal: true, columns: 80 });
    const text = await draw({ io, manner: plain }, listed, first, [['1234567.00', '1', 'x']]);
    expect(text.split('\n')[3]).toBe('1234567.00  1  x');
  });

  test('a pipe gets each text whole, also where the first page had only short ones', async () => {
    const later = [['7.00', 'id-3', 'a description that is longer than the first ones']];
    const text = await draw({ io: captureIo(), manner }, listed, first, later);
    expect(text.split('\n')[3]).toContain(later[0]?.[2]);
  });
});
