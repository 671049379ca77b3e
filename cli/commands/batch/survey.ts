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
};

const maxExamples = 3;
/** One more is kept, to know that there are others. */
export const maxNewRows = 5;

/** Reads all rows; `known` sees the valid ones. May throw InputError. */
export async function surveyRows(
  source: AsyncIterable<Outcome<Chunk>>,
  known: Pick<KnownBatch, 'see'> | undefined,
): Promise<Outcome<Survey>> {
  const totals = createTotals();
  const examples: InvalidRow[] = [];
  const newRows: number[] = [];
  let [rows, invalid] = [0, 0];
  let shortenedKeyRow: number | undefined;
  for await (const chunk of source) {
    if (!chunk.ok) return chunk;
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
  return succeed({ rows, invalid, examples, totals: totals.list(), newRows, shortenedKeyRow });
}

function toTotal({ item }: ItemRow, status: 'paid' | 'valid'): Total {
  const operation = nameOperation(item.operation);
  const { amountMinor, currency } = item;
  if (amountMinor === undefined) {
    return { status, operation, currency: '', rows: 1, amountMinor: 0n };
  }
  return { status, operation, currency, rows: 1, amountMinor };
}
