import { describe, expect, test } from 'vitest';

import { captureIo } from '../test-support.ts';
import { formatCard, formatTable, type TableColumn } from './table.ts';

const columns: readonly TableColumn[] = [
  { title: 'AMOUNT', align: 'right' },
  { title: 'DESCRIPTION', isFlexible: true },
];
const manner = { output: 'table', isQuiet: false, isVerbose: false, hasColor: true } as const;

const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

describe('tables', () => {
  test('a pipe gets plain text', () => {
    const io = captureIo();
    const text = formatTable({ io, manner }, columns, [['1.00', 'first']]);
    expect(text).toBe('AMOUNT  DESCRIPTION\n  1.00  first\n');
    expect(formatCard({ io, manner }, [['balance', '1.00']])).toBe('balance  1.00\n');
  });

  test('a terminal gets colours, unless they are switched off', () => {
    const io = captureIo({ isTerminal: true });
    expect(formatTable({ io, manner }, columns, [['1', 'x']])).toContain('\u001b[1mAMOUNT');
    const plain = formatTable({ io, manner: { ...manner, hasColor: false } }, columns, [
      ['1', 'x'],
    ]);
    expect(plain).not.toMatch(controls);
  });

  test('what others wrote cannot steer the terminal', () => {
    const io = captureIo();
    const evil = 'a\u001b[2Jb\u009b31mc\u202ed\ne';
    expect(formatTable({ io, manner }, columns, [['1', evil]])).not.toMatch(controls);
    expect(formatCard({ io, manner }, [['description', evil]])).toBe('description  a[2Jb31mcd e\n');
  });

  test('the flexible column gives way on a narrow terminal', () => {
    const io = captureIo({ isTerminal: true, columns: 30 });
    const text = formatTable({ io, manner: { ...manner, hasColor: false } }, columns, [
      ['1.00', 'a very long description of it all'],
    ]);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(30);
  });
});
