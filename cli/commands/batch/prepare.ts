import { createHash, type Hash } from 'node:crypto';

import { succeed, type Outcome } from '../../outcome.ts';
import {
  checkRow,
  isValid,
  toInvalid,
  type CheckedRow,
  type InvalidRow,
  type RowDefaults,
} from './rows/check.ts';
import type { Progress } from './results/run-files.ts';
import {
  createKeyMaker,
  createOwnKeys,
  isShortenedNumber,
  type KeyMaker,
  type OwnKeys,
} from './rows/keys.ts';
import { InputError, isPairColumn, type Cells, type RawRow } from './rows/raw-row.ts';
import type { RowReader } from './rows/rows.ts';
import type { BatchUsers } from './rows/users.ts';
import {
  countFitting,
  isItemRow,
  maxBytes,
  maxRows,
  sizeOf,
  sizeOfPairs,
  type Chunk,
  type PreparedRow,
} from './rows/chunk.ts';
import { operationNumbers } from '../../../lib/json/names.ts';

export type SourceOptions = {
  readonly reader: RowReader;
  readonly defaults: RowDefaults;
  readonly batchId: string | undefined;
  readonly users: BatchUsers;
  /** Where an earlier run ended: rows up to there are read, and not sent again. */
  readonly resumed: Progress | undefined;
};

/**
 * Reads, checks and names rows, a chunk at a time; first those that an earlier run had deferred.
 * Throws InputError where the input is none.
 */
export async function* prepareChunks(options: SourceOptions): AsyncGenerator<Outcome<Chunk>, void> {
  const { resumed } = options;
  const keys = createKeyMaker(options.batchId);
  const digest = createHash('sha256');
  const late: PreparedRow[] = [];
  let lastRow = 0;
  for await (const { raws, checked, userIds } of checkAhead(options)) {
    digest.update(raws.map(toDigested).join(''));
    const known = await userIds;
    if (!known.ok) {
      yield known;
      return;
    }
    const rows = checked.map((row) => (isValid(row) ? prepareRow(row, known.value, keys) : row));
    const last = raws.at(-1)?.row ?? 0;
    lastRow = last;
    if (resumed && last <= resumed.row) {
      late.push(...markSent(rows, resumed).filter(({ row }) => resumed.deferred.has(row)));
      if (last < resumed.row) continue;
      checkSame(digest, resumed);
      while (late.length > 0) {
        const first = late.splice(0, countFitting(late));
        yield succeed({ rows: first, digest: resumed.digest, isLate: true });
      }
      continue;
    }
    const hex = digest.copy().digest('hex');
    yield succeed({ rows: markSent(rows, resumed), digest: hex, isLate: false });
  }
  // Fewer rows than the unfinished run had: its results are not those of this input.
  if (resumed && lastRow < resumed.row) throw changedInput(resumed);
}

/** Rows whose users are being looked up. */
type CheckedRows = {
  readonly raws: readonly RawRow[];
  readonly checked: readonly (CheckedRow | InvalidRow)[];
  readonly userIds: ReturnType<BatchUsers['resolve']>;
};

/** The users of so many chunks are looked up while the one before them is prepared. */
const lookUpsAhead = 2;

async function* checkAhead(options: SourceOptions): AsyncGenerator<CheckedRows, void> {
  const { reader, resumed, defaults, users } = options;
  const ownKeys = createOwnKeys();
  const waiting: CheckedRows[] = [];
  for await (const rawRows of reader.rows) {
    for (const raws of cut(rawRows, resumed?.row ?? 0)) {
      const checked = raws.map((raw) => refuseSameKey(checkRow(raw, defaults), ownKeys));
      const userIds = users.resolve(checked.filter(isValid));
      // Awaited later, if at all; a failure must not count as unhandled until then.
      userIds.catch(() => undefined);
      waiting.push({ raws, checked, userIds });
      if (waiting.length > lookUpsAhead) yield waiting.shift() as CheckedRows;
    }
  }
  yield* waiting;
}

/** Pieces of at most so many rows and bytes; one ends where an earlier run ended. */
function* cut(rawRows: readonly RawRow[], resumedRow: number): Iterable<readonly RawRow[]> {
  let rows: RawRow[] = [];
  let bytes = 0;
  for (const raw of rawRows) {
    rows.push(raw);
    bytes += sizeOfCells(raw.cells);
    if (rows.length < maxRows && bytes < maxBytes && raw.row !== resumedRow) continue;
    yield rows;
    rows = [];
    bytes = 0;
  }
  if (rows.length > 0) yield rows;
}

/** Not less than what the row's item takes in a message: JSON is longer than the pairs in it. */
function sizeOfCells(cells: Cells): number {
  const { description, merchant, key, via, reference, metadata } = cells;
  let bytes = sizeOf(description, merchant, key, via, reference, metadata);
  for (const column in cells) {
    if (isPairColumn(column)) bytes += sizeOfPairs({ [column]: cells[column] });
  }
  return bytes;
}

const toDigested = ({ row, cells, problem }: RawRow): string =>
  JSON.stringify([row, cells, problem]);

function checkSame(digest: Hash, resumed: Progress): void {
  if (digest.copy().digest('hex') !== resumed.digest) throw changedInput(resumed);
}

const changedInput = (resumed: Progress): InputError =>
  new InputError(
    `the input has changed before row ${resumed.row + 1}, where the unfinished run stopped: start ` +
      'again with other --results; rows that were done keep their keys and are not paid again',
  );

/** Rows that an earlier run may have sent. */
function markSent(rows: PreparedRow[], resumed: Progress | undefined): PreparedRow[] {
  const sentRow = resumed?.sentRow ?? 0;
  for (const row of rows) if (isItemRow(row) && row.row <= sentRow) row.wasSent = true;
  return rows;
}

/** A checked row with the item that is sent for it, or why it cannot be. */
export function prepareRow(
  row: CheckedRow,
  userIds: ReadonlyMap<string, string>,
  keys: KeyMaker,
): PreparedRow {
  const userId = row.user === undefined ? userIds.get('') : userIds.get(row.user);
  if (userId === undefined) {
    const email = row.user ?? '';
    const message = `no user that you may act for has the e-mail address ${email}, or it is not verified`;
    return toInvalid(row, 'user', message, 'USER_NOT_FOUND');
  }
  const toUserId = row.to === undefined ? undefined : userIds.get(row.to);
  if (row.to !== undefined && toUserId === undefined) {
    const message = `no user has the e-mail address ${row.to}, or it is not verified`;
    return toInvalid(row, 'to', message, 'RECIPIENT_NOT_FOUND');
  }
  if (toUserId === userId) {
    return toInvalid(row, 'to', 'is the user who pays', 'TRANSFER_TO_SELF');
  }
  const item = {
    userId,
    currency: row.currency,
    operation: operationNumbers[row.operation],
    amountMinor: row.amountMinor,
    parentId: row.parentId,
    description: row.description,
    merchant: row.merchant,
    metadata: row.metadata,
    toUserId,
    via: row.via,
    reference: row.reference,
    expiresAt: row.expiresAt,
    expiresInSeconds: row.expiresInSeconds === undefined ? undefined : BigInt(row.expiresInSeconds),
    keepRest: row.keepsRest ? true : undefined,
    idempotencyKey: keys.keyOf(row, userId, toUserId),
  };
  return { row: row.row, userId, item, text: row.text, wasSent: false };
}

/** The same key twice would make one transaction of two rows. */
export function refuseSameKey(
  row: CheckedRow | InvalidRow,
  ownKeys: OwnKeys,
): CheckedRow | InvalidRow {
  if (row.key === undefined) return row;
  const earlier = ownKeys.claim(row.key, row.row);
  if (earlier === undefined || !isValid(row)) return row;
  const why = isShortenedNumber(row.key)
    ? '; a spreadsheet may have shortened it: format the column as text'
    : '';
  return toInvalid(row, 'key', `is also the key of row ${earlier}${why}`);
}
