import { nameOperation } from '../../../lib/json/names.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import type { KnownBatch } from './known/known-batch.ts';
import { isItemRow, type Chunk, type ItemRow } from './rows/chunk.ts';
import type { InvalidRow } from './rows/check.ts';
import { isShortenedNumber } from './rows/keys.ts';
import { createTotals, type Total } from './totals.ts';

/** All rows of a batch, looked at before any is sent. */
export type Survey = {
  readonly rows: number;
  readonly invalid: number;
  /** The first few of the invalid rows. */
  readonly examples: readonly InvalidRow[];
  /** Of the valid rows: status `paid` for those that were paid before, else `valid`. */
  readonly totals: readonly Total[];
  /** The first few rows that were not paid before. */
  readonly newRows: readonly number[];
  /** The first row whose key a spreadsheet may have shortened. */
  readonly shortenedKeyRow: number | undefined;
  /** All rows as they are sent; undefined where they are too many to be kept in memory. */
  readonly chunks: Chunk[] | undefined;
};

const maxExamples = 3;
/** One more is kept, to know that there are others. */
export const maxNewRows = 5;
/**
 * So many rows are kept between the survey and the sending, and more are read once more. A row
 * takes about 500 bytes, and its longest texts 2 KB.
 */
const maxKeptRows = 131_072;
const maxKeptTextUnits = 16 * 1024 * 1024;

/** Reads all rows; `known` sees the valid ones. May throw InputError. */
export async function surveyRows(
  source: AsyncIterable<Outcome<Chunk>>,
  known: Pick<KnownBatch, 'see'> | undefined,
): Promise<Outcome<Survey>> {
  const totals = createTotals();
  const examples: InvalidRow[] = [];
  const newRows: number[] = [];
  const kept = createKeeper();
  let [rows, invalid] = [0, 0];
  let shortenedKeyRow: number | undefined;
  for await (const chunk of source) {
    if (!chunk.ok) return chunk;
    kept.add(chunk.value);
    rows += chunk.value.rows.length;
    for (const row of chunk.value.rows) {
      if (isItemRow(row)) {
        const wasPaid = known?.see(row.item.idempotencyKey) === true;
        totals.add(toTotal(row, wasPaid ? 'paid' : 'valid'));
        if (!wasPaid && newRows.length <= maxNewRows) newRows.push(row.row);
        if (isShortenedNumber(row.item.idempotencyKey)) shortenedKeyRow ??= row.row;
      } else {
        invalid += 1;
        if (examples.length < maxExamples) examples.push(row);
      }
    }
  }
  const found = { rows, invalid, examples, totals: totals.list(), newRows, shortenedKeyRow };
  return succeed({ ...found, chunks: kept.chunks() });
}

/** Keeps chunks as long as they are few. */
function createKeeper() {
  let chunks: Chunk[] | undefined = [];
  let [rows, units] = [0, 0];
  return {
    add: (chunk: Chunk): void => {
      if (!chunks) return;
      rows += chunk.rows.length;
      for (const row of chunk.rows) {
        if (!isItemRow(row)) continue;
        units += countUnits(row.item);
      }
      if (rows > maxKeptRows || units > maxKeptTextUnits) chunks = undefined;
      else chunks.push(chunk);
    },
    chunks: (): Chunk[] | undefined => chunks,
  };
}

/** How long the texts of a row are. */
function countUnits({
  description,
  merchant,
  idempotencyKey,
  reference,
  metadata,
}: ItemRow['item']) {
  let units = idempotencyKey.length;
  for (const text of [description, merchant, reference]) units += text?.length ?? 0;
  for (const key in metadata) units += key.length + (metadata[key] ?? '').length;
  return units;
}

function toTotal({ item }: ItemRow, status: 'paid' | 'valid'): Total {
  const operation = nameOperation(item.operation);
  const { amountMinor, currency } = item;
  if (amountMinor === undefined) {
    return { status, operation, currency: '', rows: 1, amountMinor: 0n };
  }
  return { status, operation, currency, rows: 1, amountMinor };
}
