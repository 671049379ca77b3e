import { uuidV5, isUuid } from '../../../../core/ids.ts';
import { isUndo, isOperation } from '../../../../core/operations.ts';
import { formatCsvHeader } from '../../../output/csv.ts';
import { parseJsonObject } from '../../../files/files.ts';
import { formatHead, type ResultsFormat } from '../results/results.ts';
import { createCsvReader } from '../rows/csv.ts';
import { decodeText } from '../rows/decode.ts';
import { InputError, maxRecordCharacters, type RawRow } from '../rows/raw-row.ts';
import type { RowReader } from '../rows/rows.ts';

/** How many rows of a results file are left as they are, and why. */
export type LeftRows = {
  replayed: number;
  unknown: number;
  /** Rejected or invalid: nothing was done. */
  failed: number;
};

export type ResultsOptions = {
  readonly format: ResultsFormat;
  /** Takes rows that an earlier run may have paid. */
  readonly areReplayedIncluded: boolean;
  /** Called for each row that is left. */
  readonly onLeft?: (status: keyof LeftRows) => void;
};

/** Namespace of the keys of undos: a transaction has one key, so it is undone once. */
const reversalNamespace = uuidV5(
  '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  'reversal.batch.digital-wallet',
);

/** The key under which a batch of undos undoes a transaction. */
const reversalKeyOf = (transactionId: string): string => uuidV5(reversalNamespace, transactionId);

/** The fields of a result that an undo needs. */
type Result = {
  readonly status: string;
  readonly operation: string;
  readonly amount: string;
  readonly currency: string;
  readonly transactionId: string;
  readonly userId: string;
};

/**
 * The undos of what a results file says was done, as rows of a batch; `row` counts the results. It
 * throws InputError for a file that holds no results.
 */
export function readReversals(input: AsyncIterable<Buffer>, options: ResultsOptions): RowReader {
  let [bytes, count] = [0, 0];
  const countBytes = async function* (): AsyncIterable<Buffer> {
    for await (const chunk of input) {
      bytes += chunk.length;
      yield chunk;
    }
  };
  const rows = async function* (): AsyncIterable<readonly RawRow[]> {
    const read = options.format === 'csv' ? readCsvResults : readNdjsonResults;
    for await (const results of read(decodeText(countBytes()))) {
      const raws = results.flatMap((result) => toReversal((count += 1), result, options));
      if (raws.length > 0) yield raws;
    }
    if (count === 0) throw new InputError('has no results', noResultsHint);
  };
  return { rows: rows(), bytesRead: () => bytes, rowsRead: () => count };
}

function toReversal(row: number, result: Result, options: ResultsOptions): readonly RawRow[] {
  const { status, operation, amount, currency, transactionId, userId } = result;
  const left = (why: keyof LeftRows): readonly RawRow[] => {
    options.onLeft?.(why);
    return [];
  };
  if (status === 'rejected' || status === 'invalid') return left('failed');
  if (status === 'unknown') return left('unknown');
  if (status !== 'done' && status !== 'replayed') throw notResults(row);
  if (status === 'done' && transactionId === '') throw dryRunResults();
  if (!isUuid(transactionId) || !isUuid(userId) || !isOperation(operation)) throw notResults(row);
  if (status === 'replayed' && !options.areReplayedIncluded) return left('replayed');
  // All that is left of a hold is given back; what was captured has rows of its own.
  const isHold = operation === 'hold';
  const cells = isHold
    ? { operation: 'release', currency, user: userId }
    : { operation: 'reversal', amount, currency, user: userId };
  if (isUndo(operation) || operation === 'release') {
    return [{ row, cells, problem: `is a ${operation}, which cannot be undone` }];
  }
  const key = reversalKeyOf(transactionId);
  return [{ row, cells: { ...cells, parent_id: transactionId, key } }];
}

const noResultsHint = 'name the results file of wallet batch run';

const dryRunResults = (): InputError =>
  new InputError(
    'has the results of a dry run: nothing was done, so nothing is undone',
    noResultsHint,
  );

const notResults = (row: number): InputError =>
  new InputError(`row ${row} is not a result of a batch; nothing was sent`, noResultsHint);

async function* readCsvResults(texts: AsyncIterable<string>): AsyncIterable<readonly Result[]> {
  const reader = createCsvReader(maxRecordCharacters, ',');
  let hasHeader = false;
  let count = 0;
  const take = (text: string, isLast: boolean): readonly Result[] => {
    const records = reader.read(text, isLast);
    // A run that was cut off may leave half a row: then nothing is known of it. One with all its
    // columns lacks a line end only.
    const isCut = isLast && reader.isLastOpen() && records.at(-1)?.length !== columnCount;
    if (isCut) records.pop();
    if (reader.isOverlong()) throw notResults(count + records.length + 1);
    if (!hasHeader && records.length > 0) {
      hasHeader = true;
      const header = formatCsvHeader(
        records.shift()?.map((name) => ({ header: name, value: () => '' })) ?? [],
      );
      if (header !== formatHead('csv')) {
        throw new InputError('is not a results file of a batch; nothing was sent', noResultsHint);
      }
    }
    const results = records.map((record): Result => {
      count += 1;
      if (record?.length !== columnCount) throw notResults(count);
      const [, status = '', operation = '', amount = '', currency = '', , id = '', user = ''] =
        record;
      return { status, operation, amount, currency, transactionId: id, userId: user };
    });
    return isCut ? [...results, cutResult] : results;
  };
  for await (const text of texts) yield take(text, false);
  yield take('', true);
}

/** Half a row: something may have been done. */
const cutResult: Result = {
  ...{ status: 'unknown', operation: '', amount: '', currency: '' },
  ...{ transactionId: '', userId: '' },
};

const columnCount = formatHead('csv').split(',').length;

async function* readNdjsonResults(texts: AsyncIterable<string>): AsyncIterable<readonly Result[]> {
  let rest = '';
  let count = 0;
  for await (const text of texts) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxRecordCharacters) throw notResults(count + lines.length + 1);
    yield lines.map((line) => {
      count += 1;
      const value = parseJsonObject(line);
      if (!value) throw notResults(count);
      return toResult(value);
    });
  }
  if (rest.trim() === '') return;
  const value = parseJsonObject(rest);
  yield [value ? toResult(value) : cutResult];
}

function toResult(value: Readonly<Record<string, unknown>>): Result {
  const textOf = (name: string): string => {
    const found = value[name];
    return typeof found === 'string' ? found : '';
  };
  return {
    ...{ status: textOf('status'), operation: textOf('operation') },
    ...{ amount: textOf('amount'), currency: textOf('currency') },
    ...{ transactionId: textOf('transactionId'), userId: textOf('userId') },
  };
}
