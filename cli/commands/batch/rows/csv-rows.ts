import { createCsvReader, type CsvRecord } from './csv.ts';
import { decodeText } from './decode.ts';
import {
  InputError,
  isBatchColumn,
  knownColumns,
  maxRecordCharacters,
  toColumnName,
  type BatchColumn,
  type RawRow,
} from './raw-row.ts';

export type CsvOptions = {
  /** One character. */
  readonly delimiter: string;
  /** Came through a pipe: a last row that is cut off ends it with InputError. */
  readonly isPiped: boolean;
  /** The header must have the column key. */
  readonly isKeyNeeded: boolean;
};

/** The input of a pipe that ends in the middle of a row. */
export const cutOff = (row: number): InputError =>
  new InputError(
    `the input ends in the middle of row ${row}; nothing was sent`,
    'check whether the program that writes it failed; the last row needs a line end too',
  );

/** Rows of CSV, chunk by chunk, by the names in its first line. Rows without any text are none. */
export async function* readCsv(
  input: AsyncIterable<Buffer>,
  options: CsvOptions,
): AsyncIterable<readonly RawRow[]> {
  const reader = createCsvReader(maxRecordCharacters, options.delimiter);
  let header: readonly BatchColumn[] | undefined;
  let head = '';
  let row = 0;
  const take = (text: string, isLast: boolean): readonly RawRow[] => {
    const records = reader.read(text, isLast);
    if (!header) head += text;
    if (!header && records.length > 0) header = readHeader(records.shift(), head, options);
    const names = header ?? [];
    const rows = records
      .filter((record) => !isBlank(record))
      .map((record) => toRow((row += 1), names, record));
    if (reader.isOverlong()) {
      const problem = `has over ${maxRecordCharacters} characters: a quote may not be closed`;
      throw new InputError(`row ${row + 1} ${problem}`);
    }
    return rows;
  };
  for await (const text of decodeText(input)) {
    const rows = take(text, false);
    if (rows.length > 0) yield rows;
  }
  const rows = take('', true);
  // Half an amount is an amount as well.
  if (options.isPiped && reader.isLastOpen()) throw cutOff(row);
  yield rows;
}

const isBlank = (record: CsvRecord): boolean =>
  record !== undefined && record.every((cell) => cell.trim() === '');

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

const readNames = (cells: readonly string[]): readonly string[] => cells.map(toColumnName);

/** The names of the columns. */
function readHeader(record: CsvRecord, text: string, options: CsvOptions): readonly BatchColumn[] {
  const names = readNames(record ?? []);
  const unknown = names.filter((name) => !isBatchColumn(name));
  if (!record || unknown.length > 0) refuseOtherDelimiter(text, options.delimiter);
  const known = `the columns are ${knownColumns}`;
  if (!names.includes('operation')) {
    const problem = 'the first line must name the columns, operation among them';
    throw new InputError(`${problem}; ${known}`);
  }
  if (unknown.length > 0) {
    const list = unknown.map((name) => JSON.stringify(name)).join(', ');
    throw new InputError(`unknown column ${list}; ${known}`);
  }
  const doubled = names.find((name, i) => names.indexOf(name) !== i);
  if (doubled !== undefined) throw new InputError(`the column ${doubled} is there twice`);
  if (options.isKeyNeeded && !names.includes('key')) {
    throw new InputError(
      'the rows have no column key, and there is no --batch-id to make their keys from; nothing ' +
        'was sent',
      keysHint,
    );
  }
  return names.filter(isBatchColumn);
}

export const keysHint =
  'name the batch: --batch-id NAME; the same file under the same name is never paid twice';

/** What separates the columns, by the name that `--delimiter` takes. */
export const delimiters = { comma: ',', semicolon: ';', tab: '\t', pipe: '|' } as const;

/** Looks at the line itself: quotes mean nothing beside another delimiter. */
function refuseOtherDelimiter(text: string, used: string): void {
  const line = /[^\r\n\uFEFF]+/.exec(text)?.[0] ?? '';
  const other = Object.entries(delimiters).find(([, delimiter]) => {
    const names = readNames(line.split(delimiter).map((cell) => cell.trim().replace(/^"|"$/g, '')));
    return delimiter !== used && names.includes('operation') && names.every(isBatchColumn);
  });
  if (!other) return;
  const [name] = other;
  throw new InputError(
    `the columns are separated by a ${name}, and not by ${JSON.stringify(used)}`,
    `add --delimiter ${name}`,
  );
}
