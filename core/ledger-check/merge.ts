import { createLedgerCheck, type RawRow } from './check.ts';
import { readWallet } from './read-wallet.ts';
import { compareIds, idOffset, readSeq, readUuid } from './rows.ts';
import type { CheckListener, RowPage } from './types.ts';

const noPage: RowPage = {
  ...{ bytes: Buffer.alloc(0), starts: [], ends: [], rows: 0, isLast: false },
};

/** Rows in order, page by page. */
function createQueue() {
  const row: RawRow = { bytes: Buffer.alloc(0), start: 0, end: 0 };
  let page = noPage;
  let index = 0;
  let taken = 0;
  const load = (): void => {
    if (index >= page.rows) return;
    row.start = page.starts[index] ?? 0;
    row.end = page.ends[index] ?? 0;
  };
  return {
    /** The first row, if `has`. */
    row,
    has: (): boolean => index < page.rows,
    /** No page is there, and one may come. */
    isWaiting: (): boolean => index >= page.rows && !page.isLast,
    add: (next: RowPage): void => {
      page = next;
      row.bytes = next.bytes;
      index = 0;
      load();
    },
    next: (): void => {
      index += 1;
      taken += 1;
      load();
    },
    taken: (): number => taken,
  };
}

/**
 * Walks along wallets, entries and lines side by side, each in the order of wallet and seq, and has
 * them checked. Give each queue that `isWaiting` its next page, and call `run`, until `isOver`.
 */
export function createMerge(listener: CheckListener) {
  const check = createLedgerCheck(listener);
  const queues = { wallets: createQueue(), entries: createQueue(), lines: createQueue() };
  const { wallets, entries, lines } = queues;
  const current = Buffer.alloc(16);
  let hasCurrent = false;
  let isOver = false;

  const beginAt = ({ bytes, start }: RawRow, hasRow: boolean): void => {
    bytes.copy(current, 0, start + idOffset, start + idOffset + 16);
    hasCurrent = true;
    check.begin(readUuid(current, 0), hasRow ? readWallet(bytes, start) : undefined);
    if (hasRow) wallets.next();
  };
  const isCurrent = ({ bytes, start }: RawRow): boolean =>
    hasCurrent && compareIds(bytes, start + idOffset, current, 0) === 0;

  /** Goes on to the wallet of a row, by one wallet at most. False where a page must come first. */
  const approach = (row: RawRow): boolean => {
    if (wallets.isWaiting()) return false;
    const isAhead = wallets.has() && compareRows(wallets.row, row) <= 0;
    beginAt(isAhead ? wallets.row : row, isAhead);
    return true;
  };

  const step = (): boolean => {
    if (entries.isWaiting() || lines.isWaiting()) return false;
    const order = !entries.has() ? 1 : !lines.has() ? -1 : comparePlaces(entries.row, lines.row);
    const first = order > 0 ? lines : entries;
    if (!first.has()) {
      if (wallets.has()) return approach(wallets.row);
      isOver = !wallets.isWaiting();
      if (isOver) check.finish();
      return false;
    }
    if (!isCurrent(first.row)) return approach(first.row);
    if (order > 0) check.extra(lines.row);
    else check.entry(entries.row, order === 0 ? lines.row : undefined);
    if (order <= 0) entries.next();
    if (order >= 0) lines.next();
    return true;
  };

  return {
    queues,
    /** Checks as much as can be checked with the pages that are there. */
    run: (): void => {
      while (step());
    },
    isOver: (): boolean => isOver,
  };
}

const compareRows = (a: RawRow, b: RawRow): number =>
  compareIds(a.bytes, a.start + idOffset, b.bytes, b.start + idOffset);

const comparePlaces = (a: RawRow, b: RawRow): number =>
  compareRows(a, b) || readSeq(a.bytes, a.start) - readSeq(b.bytes, b.start);
