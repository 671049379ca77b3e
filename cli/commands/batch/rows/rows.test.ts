import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { InputError, type RawRow } from './raw-row.ts';
import { readRows, type InputFormat, type ReadOptions } from './rows.ts';

/** The rows of a text that arrives in chunks of so many bytes. */
async function rowsOf(
  text: string | Buffer,
  format: InputFormat = 'csv',
  pieceBytes = 7,
  options: Partial<ReadOptions> = {},
) {
  const bytes = Buffer.from(text as string);
  const input = async function* () {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      yield await Promise.resolve(bytes.subarray(at, at + pieceBytes));
    }
  };
  const rows: RawRow[] = [];
  const reader = readRows(input(), {
    ...{ format, delimiter: ',', isPiped: false, isKeyNeeded: false },
    ...options,
  });
  for await (const chunk of reader.rows) rows.push(...chunk);
  expect(reader.bytesRead()).toBe(bytes.length);
  return rows;
}

describe('CSV', () => {
  it('CSV is read row by row, in chunks of any size', async () => {
    const text =
      '\uFEFFoperation,amount,user,description\r\n' +
      'deposit,10.00,ana@example.com,"a ""quoted"", long\r\none"\r\n' +
      '\r\n' +
      'withdraw,3,,é\n';
    const expected = [
      {
        row: 1,
        cells: {
          operation: 'deposit',
          amount: '10.00',
          user: 'ana@example.com',
          description: 'a "quoted", long\r\none',
        },
      },
      { row: 2, cells: { operation: 'withdraw', amount: '3', description: 'é' } },
    ];
    for (const pieceBytes of [1, 2, 3, 50, 1_000]) {
      expect(await rowsOf(text.replaceAll('\r\n', '\n'), 'csv', pieceBytes)).toEqual(
        expected.map(
          (row) => JSON.parse(JSON.stringify(row).replaceAll('\\r\\n', '\\n')) as RawRow,
        ),
      );
    }
  });

  it('bad CSV rows are reported in their places, and the others are read', async () => {
    const text = [
      'operation,amount',
      'deposit,1.00',
      'deposit,1.00,more',
      'deposit',
      'dep"osit,1.00',
      'deposit,2.00',
      'deposit,3.00',
      '',
    ].join('\n');
    const rows = await rowsOf(text, 'csv', 5_000);
    expect(rows.map(({ row, cells, problem }) => [row, cells.amount, problem])).toEqual([
      [1, '1.00', undefined],
      [2, undefined, 'has 3 fields instead of 2'],
      [3, undefined, 'has 1 fields instead of 2'],
      [4, undefined, 'is not CSV: bad quotes'],
      [5, '2.00', undefined],
      [6, '3.00', undefined],
    ]);
  });

  it('rows without any text are skipped, and not counted', async () => {
    const text = 'operation,amount\n,\ndeposit,1\n \t,\u00a0\n,,,,\ndeposit,2\n';
    const rows = await rowsOf(text);
    expect(rows.map(({ row, cells }) => [row, cells.amount])).toEqual([
      [1, '1'],
      [2, '2'],
    ]);
  });

  it.each([
    [';', 'semicolon'],
    ['\t', 'tab'],
    ['|', 'pipe'],
  ])('CSV with %j between its columns is read by --delimiter %s', async (delimiter, name) => {
    const text = 'operation,"amount",description\ndeposit,1,"a,;\t|b"\n'.replace(
      /(?<!a),(?!;)/g,
      delimiter,
    );
    await expect(rowsOf(text)).rejects.toMatchObject({ hint: `add --delimiter ${name}` });
    const [row] = await rowsOf(text, 'csv', 7, { delimiter });
    expect(row?.cells).toEqual({ operation: 'deposit', amount: '1', description: 'a,;\t|b' });
  });

  it.each(['utf16le', 'utf16be'])('CSV in %s with a byte order mark is read', async (encoding) => {
    const text = '\uFEFFoperation,description\ndeposit,sal\u00e1rio \u{1f600}\n';
    const bytes = Buffer.from(text, 'utf16le');
    if (encoding === 'utf16be') bytes.swap16();
    for (const pieceBytes of [1, 3, 1_000]) {
      const [row] = await rowsOf(bytes, 'csv', pieceBytes);
      expect(row?.cells).toEqual({ operation: 'deposit', description: 'sal\u00e1rio \u{1f600}' });
    }
    await expect(rowsOf(bytes.subarray(2))).rejects.toMatchObject({
      message: expect.stringContaining('UTF-16') as string,
      hint: expect.stringContaining('iconv') as string,
    });
  });

  it('piped CSV ends with a line end: half an amount is an amount as well', async () => {
    const piped = { isPiped: true };
    const text = 'operation,amount\ndeposit,1\ndeposit,2';
    expect(await rowsOf(`${text}\n`, 'csv', 7, piped)).toHaveLength(2);
    expect(await rowsOf(`${text}\ndeposit\n`, 'csv', 7, piped)).toHaveLength(3);
    for (const cut of ['deposit', '"dep', 'deposit,15']) {
      const input = `${text}\n${cut}`;
      await expect(rowsOf(input, 'csv', 7, piped)).rejects.toThrow('middle of row 3');
      expect(await rowsOf(input)).toHaveLength(3);
    }
  });

  it('an overlong row of NDJSON is invalid, and its neighbours are read', async () => {
    const line = (description: string) =>
      JSON.stringify({ operation: 'deposit', amount: '1', description });
    const lines = ['a', 'x'.repeat(300_000), 'b'].map(line);
    for (const bytes of [7_000, 64_000, 1_000_000]) {
      const rows = await rowsOf(`${lines.join('\n')}\n`, 'ndjson', bytes);
      expect(rows.map(({ problem }) => problem)).toEqual([undefined, 'is too long', undefined]);
    }
  });

  it('a header without key is refused where each row needs one', async () => {
    const text = 'operation,amount\ndeposit,1\n';
    await expect(rowsOf(text, 'csv', 7, { isKeyNeeded: true })).rejects.toThrow('no column key');
  });

  it.each([
    ['amount,user\n1.00,x\n', /operation among them/],
    ['operation,amount,colour\n', /unknown column "colour"/],
    ['operation,amount,amount\n', /amount is there twice/],
    [`operation\ndeposit\n"${'x'.repeat(70_000)}`, /row 2 has over 65536 characters/],
  ])('CSV with a bad header or an overlong row is refused: %j', async (text, message) => {
    await expect(rowsOf(text)).rejects.toThrow(InputError);
    await expect(rowsOf(text)).rejects.toThrow(message);
  });

  it('any text in a CSV cell is read back unchanged', async () => {
    const cell = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(cell, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 90 }),
        async (texts, pieceBytes) => {
          const lines = texts.map((text) => `deposit,"${text.replaceAll('"', '""')}"`);
          const rows = await rowsOf(
            `operation,description\n${lines.join('\n')}\n`,
            'csv',
            pieceBytes,
          );
          expect(rows.map(({ cells }) => cells.description)).toEqual(texts);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('NDJSON', () => {
  it('NDJSON is read as one object per line, without empty lines', async () => {
    const text = '{"operation":"deposit","amount":"1.10"}\n\n{"operation":"withdraw","amount":2.5}';
    expect(await rowsOf(text, 'ndjson')).toEqual([
      { row: 1, cells: { operation: 'deposit', amount: '1.10' } },
      { row: 2, cells: { operation: 'withdraw', amount: '2.5' } },
    ]);
  });

  it.each([
    ['{"operation":', 'is not JSON'],
    ['[1]', 'is not a JSON object'],
    ['"deposit"', 'is not a JSON object'],
    ['{"operation":"deposit","colour":"red"}', 'has an unknown key "colour"'],
    ['{"operation":7}', 'has a operation that is not a string'],
    ['{"operation":{"a":1}}', 'has a operation that is not a string'],
    [`{"operation":"${'x'.repeat(70_000)}"}`, 'is too long'],
  ])('the NDJSON line $0 is reported as $1, and the next line is read', async (line, problem) => {
    for (const pieceBytes of [1_000, 100_000]) {
      const rows = await rowsOf(`${line}\n{"operation":"deposit"}\n`, 'ndjson', pieceBytes);
      expect(rows).toEqual([
        { row: 1, cells: {}, problem },
        { row: 2, cells: { operation: 'deposit' } },
      ]);
    }
  });
});
