import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { expect, it } from 'vitest';

import { createCsvReader, type CsvRecord } from './csv.ts';

/** The records of a text that arrives in chunks of so many characters. */
function read(text: string, pieceLength: number, maxCharacters = 65_536): CsvRecord[] {
  const reader = createCsvReader(maxCharacters);
  const records: CsvRecord[] = [];
  for (let at = 0; at < text.length; at += pieceLength) {
    records.push(...reader.read(text.slice(at, at + pieceLength), false));
  }
  return [...records, ...reader.read('', true)];
}

const readByLibrary = (text: string): string[][] =>
  parse(text, {
    bom: true,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
  });

it('the CSV reader agrees with csv-parse on any text, in chunks of any size', () => {
  const token = fc.constantFrom(
    'a',
    'é',
    ' ',
    ',',
    ',',
    '"',
    '""',
    '\n',
    '\r\n',
    '\r',
    '","',
    '\uFEFF',
  );
  const text = fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join(''));
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 9 }), (csv, pieceLength) => {
      const records = read(csv, pieceLength);
      expect(records).toEqual(read(csv, 1_000));
      expect(records.filter((record) => record !== undefined)).toEqual(readByLibrary(csv));
    }),
    { numRuns: 5_000 },
  );
});

it('a CSV record with wrong quotes is one record, and those around it are read', () => {
  const csv = 'a,b\nx"y"z",1\nc,d\n"e"f",2\ng,"h';
  expect(read(csv, 3)).toEqual([['a', 'b'], undefined, ['c', 'd'], undefined, undefined]);
});

it('the CSV reader ends at a record above the limit, complete or not', () => {
  for (const csv of ['a\nbcdef\ng\n', 'a\n"bcdef']) {
    const reader = createCsvReader(5);
    expect([reader.read(csv, false), reader.isOverlong()]).toEqual([[['a']], true]);
  }
});
