import { readCsv, type CsvOptions } from './csv-rows.ts';
import { readNdjson } from './ndjson-rows.ts';
import type { RawRow } from './raw-row.ts';

export type InputFormat = 'csv' | 'ndjson';

export type ReadOptions = CsvOptions & { readonly format: InputFormat };

/** What is read, in chunks, with the number of bytes and rows read so far. */
export type RowReader = {
  readonly rows: AsyncIterable<readonly RawRow[]>;
  bytesRead(): number;
  rowsRead(): number;
};

/** Reads rows chunk by chunk: however long the input, only one chunk is in memory. */
export function readRows(input: AsyncIterable<Buffer>, options: ReadOptions): RowReader {
  let bytes = 0;
  let count = 0;
  const countBytes = async function* (): AsyncIterable<Buffer> {
    for await (const chunk of input) {
      bytes += chunk.length;
      yield chunk;
    }
  };
  const countRows = async function* (): AsyncIterable<readonly RawRow[]> {
    const read = options.format === 'csv' ? readCsv : readNdjson;
    for await (const rows of read(countBytes(), options)) {
      count += rows.length;
      yield rows;
    }
  };
  return { rows: countRows(), bytesRead: () => bytes, rowsRead: () => count };
}
