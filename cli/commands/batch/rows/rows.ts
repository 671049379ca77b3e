import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

import { findNumberText } from '../../../../core/json/number-text.ts';
import { readNumber } from '../../../../core/money.ts';
import { createCsvReader, type CsvRecord } from './csv.ts';

/** The columns of a batch; operation and, but for undos, amount are needed in each row. */
export const batchColumns = [
  'operation',
  'amount',
  'currency',
  'user',
  'parent_id',
  'description',
  'merchant',
  'key',
] as const;

export type BatchColumn = (typeof batchColumns)[number];

/** One record as it stands in the input. `row` counts records from 1, the header not among them. */
export type RawRow = {
  readonly row: number;
  /** Empty cells are left out. */
  readonly cells: Readonly<Partial<Record<BatchColumn, string>>>;
  /** Why it cannot be read at all. */
  readonly problem?: string;
  /** Why its amount, a JSON number, is not taken. */
  readonly amountProblem?: string;
};

export type InputFormat = 'csv' | 'ndjson';

/** The input as a whole is none: wrong header, unreadable file. */
export class InputError extends Error {}

/** What is read, in chunks, with the number of bytes and rows read so far. */
export type RowReader = {
  readonly rows: AsyncIterable<readonly RawRow[]>;
  bytesRead(): number;
  rowsRead(): number;
};

const maxRecordCharacters = 65_536;

/** Reads rows chunk by chunk: however long the input, only one chunk is in memory. */
export function readRows(input: AsyncIterable<Buffer>, format: InputFormat): RowReader {
  let bytes = 0;
  let count = 0;
  const countBytes = async function* (): AsyncIterable<Buffer> {
    for await (const chunk of input) {
      bytes += chunk.length;
      yield chunk;
    }
  };
  const countRows = async function* (): AsyncIterable<readonly RawRow[]> {
    for await (const rows of format === 'csv' ? readCsv(countBytes()) : readNdjson(countBytes())) {
      count += rows.length;
      yield rows;
    }
  };
  return { rows: countRows(), bytesRead: () => bytes, rowsRead: () => count };
}

/** A file's bytes. */
export const openInput = (path: string): AsyncIterable<Buffer> =>
  createReadStream(path, { highWaterMark: 256 * 1024 });

async function* readCsv(input: AsyncIterable<Buffer>): AsyncIterable<readonly RawRow[]> {
  const decoder = new StringDecoder('utf8');
  const reader = createCsvReader(maxRecordCharacters);
  let header: readonly BatchColumn[] | undefined;
  let row = 0;
  const take = (text: string, isLast: boolean): readonly RawRow[] => {
    const records = reader.read(text, isLast);
    if (!header && records.length > 0) header = readHeader(records.shift());
    const names = header ?? [];
    const rows = records.map((record) => toRow((row += 1), names, record));
    if (reader.isOverlong()) {
      const problem = `has over ${maxRecordCharacters} characters: a quote may not be closed`;
      throw new InputError(`row ${row + 1} ${problem}`);
    }
    return rows;
  };
  for await (const chunk of input) {
    const rows = take(decoder.write(chunk), false);
    if (rows.length > 0) yield rows;
  }
  yield take(decoder.end(), true);
}

function toRow(row: number, names: readonly BatchColumn[], record: CsvRecord): RawRow {
  if (!record) return { row, cells: {}, problem: 'is not CSV: bad quotes' };
  if (record.length !== names.length) {
    return { row, cells: {}, problem: `has ${record.length} fields instead of ${names.length}` };
  }
  const cells: Partial<Record<BatchColumn, string>> = {};
  names.forEach((name, i) => {
    const text = record[i] ?? '';
    if (text !== '') cells[name] = text;
  });
  return { row, cells };
}

/** The names of the columns. */
function readHeader(record: CsvRecord): readonly BatchColumn[] {
  const names = (record ?? []).map((name) => name.trim().toLowerCase());
  const unknown = names.filter((name) => !isBatchColumn(name));
  const known = `the columns are ${batchColumns.join(', ')}`;
  if (!names.includes('operation')) {
    const problem = 'the first line must name the columns, operation among them';
    throw new InputError(`${problem}; ${known}`);
  }
  if (unknown.length > 0) {
    const names = unknown.map((name) => JSON.stringify(name)).join(', ');
    throw new InputError(`unknown column ${names}; ${known}`);
  }
  const doubled = names.find((name, i) => names.indexOf(name) !== i);
  if (doubled !== undefined) throw new InputError(`the column ${doubled} is there twice`);
  return names.filter(isBatchColumn);
}

const isBatchColumn = (name: string): name is BatchColumn =>
  (batchColumns as readonly string[]).includes(name);

async function* readNdjson(input: AsyncIterable<Buffer>): AsyncIterable<readonly RawRow[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let row = 0;
  let isCut = false;
  const read = (line: string): RawRow[] => {
    const wasCut = isCut;
    isCut = false;
    if (!wasCut && line.trim() === '') return [];
    row += 1;
    return [wasCut ? { row, cells: {}, problem: 'is too long' } : { row, ...readObject(line) }];
  };
  for await (const chunk of input) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxRecordCharacters) {
      // Its end is waited for, its content is not kept.
      isCut = true;
      rest = '';
    }
    const rows = lines.flatMap((line) => {
      if (line.length > maxRecordCharacters) isCut = true;
      return read(line);
    });
    if (rows.length > 0) yield rows;
  }
  yield read(rest + decoder.end());
}

function readObject(line: string): Omit<RawRow, 'row'> {
  let value: unknown;
  const text = line.replace(/^\uFEFF/, '');
  try {
    value = JSON.parse(text);
  } catch {
    return { cells: {}, problem: 'is not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { cells: {}, problem: 'is not a JSON object' };
  }
  const cells: Record<string, string> = {};
  let amountProblem: string | undefined;
  for (const [name, cell] of Object.entries(value as Record<string, unknown>)) {
    if (!isBatchColumn(name))
      return { cells: {}, problem: `has an unknown key ${JSON.stringify(name)}` };
    if (cell === null || cell === '') continue;
    if (name === 'amount' && typeof cell === 'number') {
      const read = readNumber(cell, findNumberText(text, ['amount']));
      if (read.ok) cells[name] = read.text;
      else amountProblem = read.problem;
      continue;
    }
    if (typeof cell !== 'string') {
      return { cells: {}, problem: `has a ${name} that is not a string` };
    }
    cells[name] = cell;
  }
  return { cells, ...(amountProblem !== undefined && { amountProblem }) };
}
