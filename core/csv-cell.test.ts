import { describe, expect, test } from 'vitest';

import { formatCsvRow, formulaLeadBytes, neutraliseFormula, quoteCsvCell } from './csv-cell.ts';

const signs = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '−'];
const hidden = ['', ' ', '\u00a0', '\u3000', '\ufeff', '\u200b', '\u200e', '\u0000', '\u001b'];

describe('formula cells', () => {
  test.each(signs)('a cell with %s first or behind skipped characters is neutralised', (sign) => {
    for (const before of hidden) {
      const text = `${before}${sign}1+1`;
      expect(neutraliseFormula(text)).toBe(`'${text}`);
    }
  });

  test.each(['\tx', '\rx', '\nx', '\n', '\r\n=1'])(
    'a cell that begins with a control character is neutralised: %j',
    (text) => {
      expect(neutraliseFormula(text)).toBe(`'${text}`);
    },
  );

  test.each(['', 'a=b', '1+1', "'=x", 'é', ' x', 'Ａ＝１', '\u200bx'])(
    'the cell %j is no formula and stays unchanged',
    (text) => {
      expect(neutraliseFormula(text)).toBe(text);
    },
  );
});

test('the lead bytes cover every character that is skipped or begins a formula', () => {
  const missing: string[] = [];
  for (let code = 0; code <= 0x10ffff; code += 1) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    const isChanged = neutraliseFormula(`${character}=`) !== `${character}=`;
    const lead = Buffer.from(character)[0] ?? 0;
    if (isChanged && !formulaLeadBytes.has(lead)) missing.push(code.toString(16));
  }
  expect(missing).toEqual([]);
});

describe('cells and rows', () => {
  test.each([
    ['', ''],
    ['a', 'a'],
    ['a;b', 'a;b'],
    ['a,b', '"a,b"'],
    ['"', '""""'],
    ['a"b"c', '"a""b""c"'],
    ['a\rb', '"a\rb"'],
    ['a\nb', '"a\nb"'],
  ])('the cell %j is written %j between commas', (cell, written) => {
    expect(quoteCsvCell(cell)).toBe(written);
  });

  test('between semicolons it is the semicolon that needs quotes', () => {
    const written = ['a;b', 'a,b', '"'].map((cell) => quoteCsvCell(cell, ';'));
    expect(written).toEqual(['"a;b"', 'a,b', '""""']);
  });

  test('a row ends with CR and LF', () => {
    expect(formatCsvRow(['a', '"b,c"', ''])).toBe('a,"b,c",\r\n');
    expect(formatCsvRow(['a', 'b'], ';')).toBe('a;b\r\n');
  });
});
