import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

import { parse, type CsvError } from 'csv-parse';

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
};

export type InputFormat = 'csv' | 'ndjson';

/** The input as a whole is none: wrong header, unreadable file. */
export class InputError extends Error {}

/** What is read, in pieces, with the number of bytes read so far. */
export type RowReader = {
  readonly rows: AsyncIterable<readonly RawRow[]>;
  bytesRead(): number;
};

const maxRecordCharacters = 65_536;

/** Reads rows piece by piece: however long the input, only a piece is held. */
export function readRows(input: AsyncIterable<Buffer>, format: InputFormat): RowReader {
  let bytes = 0;
  const counted = async function* (): AsyncIterable<Buffer> {
    for await (const chunk of input) {
      bytes += chunk.length;
      yield chunk;
    }
  };
  const rows = format === 'csv' ? readCsv(counted()) : readNdjson(counted());
  return { rows, bytesRead: () => bytes };
}

/** A file's bytes. */
export const openInput = (path: string): AsyncIterable<Buffer> =>
  createReadStream(path, { highWaterMark: 256 * 1024 });

async function* readCsv(input: AsyncIterable<Buffer>): AsyncIterable<readonly RawRow[]> {
  let rows: RawRow[] = [];
  let header: readonly string[] | undefined;
  let count = 0;
  let fault: Error | undefined;
  const add = (cells: RawRow['cells'], problem?: string): void => {
    count += 1;
    rows.push({ row: count, cells, ...(problem === undefined ? {} : { problem }) });
  };
  const parser = parse({
    bom: true,
    columns: false,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: maxRecordCharacters,
    on_record: (record: string[]) => {
      if (!header) {
        const checked = checkHeader(record);
        header = typeof checked === 'string' ? [] : checked;
        if (typeof checked === 'string') fault = new InputError(checked);
      } else if (record.length !== header.length) {
        add({}, `has ${record.length} fields instead of ${header.length}`);
      } else {
        add(toCells(Object.fromEntries(header.map((name, i) => [name, record[i] ?? '']))));
      }
      return null;
    },
    on_skip: (err: CsvError | undefined) => {
      if (err?.code === 'CSV_MAX_RECORD_SIZE') {
        const text = `has over ${maxRecordCharacters} characters: a quote may not be closed`;
        fault ??= new InputError(`row ${count + 1} ${text}`);
      }
      add({}, 'is not CSV: bad quotes');
      return undefined;
    },
  });
  parser.on('error', (err) => (fault ??= err));
  parser.resume();
  const take = (): RawRow[] => {
    if (fault) throw fault instanceof InputError ? fault : new InputError(fault.message);
    const taken = rows;
    rows = [];
    return taken;
  };
  for await (const chunk of input) {
    await new Promise<void>((resolve) => {
      parser.write(chunk, () => resolve());
    });
    const taken = take();
    if (taken.length > 0) yield taken;
  }
  await new Promise<void>((resolve) => {
    parser.once('close', resolve);
    parser.end();
  });
  yield take();
}

/** The names of the columns, or what is wrong with them. */
function checkHeader(record: readonly string[]): readonly string[] | string {
  const names = record.map((name) => name.trim().toLowerCase());
  const unknown = names.filter((name) => !isBatchColumn(name));
  const known = `the columns are ${batchColumns.join(', ')}`;
  if (!names.includes('operation')) {
    return `the first line must name the columns, operation among them; ${known}`;
  }
  if (unknown.length > 0) {
    return `unknown column ${unknown.map((n) => JSON.stringify(n)).join(', ')}; ${known}`;
  }
  const doubled = names.find((name, i) => names.indexOf(name) !== i);
  return doubled === undefined ? names : `the column ${doubled} is there twice`;
}

const isBatchColumn = (name: string): name is BatchColumn =>
  (batchColumns as readonly string[]).includes(name);

function toCells(record: Readonly<Record<string, string>>): RawRow['cells'] {
  return Object.fromEntries(Object.entries(record).filter(([, text]) => text !== ''));
}

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
  try {
    value = JSON.parse(line.replace(/^\uFEFF/, ''));
  } catch {
    return { cells: {}, problem: 'is not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { cells: {}, problem: 'is not a JSON object' };
  }
  const cells: Record<string, string> = {};
  for (const [name, cell] of Object.entries(value as Record<string, unknown>)) {
    if (!isBatchColumn(name))
      return { cells: {}, problem: `has an unknown key ${JSON.stringify(name)}` };
    if (cell === null || cell === '') continue;
    // A number is taken as it is written again: 10 and 10.5, but never 1e21.
    if (typeof cell !== 'string' && !(name === 'amount' && typeof cell === 'number')) {
      return { cells: {}, problem: `has a ${name} that is not a string` };
    }
    cells[name] = String(cell);
  }
  return { cells };
}
