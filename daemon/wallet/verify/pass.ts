import {
  createMerge,
  type LedgerFinding,
  type UndoEntry,
} from '../../../core/ledger-check/index.ts';
import { canUndo, operationOfCode } from '../../../core/operations.ts';
import { createSerial } from '../../platform/concurrency/serial.ts';
import type { Pages, PageSize } from '../../platform/db/copy-pages.ts';
import { withSnapshots, type Db, type Tx } from '../../platform/db/db.ts';
import { checkOutbox } from './outbox.ts';
import {
  countPending,
  findParents,
  openEntries,
  openWallets,
  type IdSpan,
  type ParentRow,
  type Place,
} from './store.ts';

/** Opens the statement lines of the wallets from one id to another, as rows of `lineColumns`. */
type OpenLines = (span: IdSpan, size: PageSize) => Pages;

/** What a part of the pass came to. */
export type VerifyPart = {
  readonly findings: readonly LedgerFinding[];
  /** Entries without a line: it may be on its way. */
  readonly missing: readonly Place[];
  /** Rows that were checked in this part. */
  readonly wallets: number;
  readonly transactions: number;
};

export type VerifyOptions = {
  readonly db: Db;
  /** Of this wallet only. */
  readonly walletId: string | undefined;
  /** Lines to hold against the entries, one reader for each that works; without it, none are. */
  readonly lines?: readonly OpenLines[];
  /** How many parts are checked at a time. */
  readonly readers: number;
  readonly size: PageSize;
  /** What it gives back is waited for. Throws to end the pass. */
  readonly onPart: (part: VerifyPart) => void | Promise<void>;
};

/**
 * Checks all entries, wallets and outbox rows of one snapshot, in one pass in order of wallet and
 * seq. The ids of wallets are divided into spans, of which several are checked at a time; two pages
 * of each reader are in memory, whatever a wallet has. Lines must be of an earlier snapshot.
 */
export async function verifyLedger(options: VerifyOptions): Promise<void> {
  const { db, walletId, readers, lines, onPart } = options;
  const spans = walletId === undefined ? [...listSpans()] : [{ first: walletId, last: walletId }];
  const count = Math.min(readers, spans.length);
  const size = { ...options.size, spare: [] };
  await withSnapshots(db, count, async (txs) => {
    const [first] = txs;
    if (first) await checkOutbox(first, walletId, onPart);
    let failed: Error | undefined;
    const work = async (tx: Tx, open: OpenLines | undefined): Promise<void> => {
      try {
        for (let span = spans.shift(); span && failed === undefined; span = spans.shift()) {
          await checkSpan(tx, span, open, { ...options, size }, () => failed !== undefined);
        }
      } catch (err) {
        failed ??= err instanceof Error ? err : new Error('the pass failed', { cause: err });
      }
    };
    await Promise.all(txs.map((tx, i) => work(tx, lines?.[i])));
    if (failed !== undefined) throw failed;
  });
}

const spanCount = 256;

/** Ids are hashes: each of these has about as many wallets. */
function* listSpans(): Generator<IdSpan> {
  for (let i = 0; i < spanCount; i += 1) {
    const byte = i.toString(16).padStart(2, '0');
    const rest = (digit: string) =>
      [6, 4, 4, 4, 12].map((length) => digit.repeat(length)).join('-');
    yield { first: byte + rest('0'), last: byte + rest('f') };
  }
}

const noPage = { bytes: Buffer.alloc(0), starts: [], ends: [], rows: 0, isLast: true };
const noLines: Pages = { next: () => Promise.resolve(noPage), end: () => Promise.resolve() };

async function checkSpan(
  tx: Tx,
  span: IdSpan,
  open: OpenLines | undefined,
  { size, onPart }: VerifyOptions,
  isStopped: () => boolean,
): Promise<void> {
  const found: LedgerFinding[] = [];
  const undos: UndoEntry[] = [];
  const missing: Place[] = [];
  const merge = createMerge({
    report: (finding) => found.push(finding),
    onUndo: (undo) => undos.push(undo),
    ...(open ? { onMissing: (walletId, seq) => missing.push({ walletId, seq }) } : {}),
  });
  const serial = createSerial();
  const run = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => serial(() => work(tx));
  const readers = [
    [merge.queues.wallets, openWallets(run, span, size)],
    [merge.queues.entries, openEntries(run, span, size)],
    [merge.queues.lines, open?.(span, size) ?? noLines],
  ] as const;
  let [wallets, transactions] = [0, 0];
  const step = async (): Promise<void> => {
    const waiting = readers.filter(([queue]) => queue.isWaiting());
    await Promise.all(waiting.map(async ([queue, pages]) => queue.add(await pages.next())));
    merge.run();
    if (undos.length > 0) found.push(...(await checkParents(run, undos.splice(0))));
    const taken = {
      wallets: merge.queues.wallets.taken(),
      transactions: merge.queues.entries.taken(),
    };
    await onPart({
      ...{ findings: found.splice(0), missing: missing.splice(0) },
      ...{ wallets: taken.wallets - wallets, transactions: taken.transactions - transactions },
    });
    ({ wallets, transactions } = taken);
  };
  try {
    while (!merge.isOver() && !isStopped()) await step();
  } finally {
    // What is read ahead must not meet the end of the transaction.
    for (const [, pages] of readers) await pages.end();
  }
}

async function checkParents(
  run: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>,
  undos: readonly UndoEntry[],
): Promise<LedgerFinding[]> {
  const parents = await run((tx) => findParents(tx, undos));
  return undos.flatMap((undo, i): LedgerFinding[] => {
    const problem = findParentProblem(undo, parents[i]);
    const { walletId, seq } = undo;
    return problem === undefined ? [] : [{ walletId, seq, ...problem }];
  });
}

function findParentProblem(
  undo: UndoEntry,
  parent: ParentRow | undefined,
): Pick<LedgerFinding, 'kind' | 'detail'> | undefined {
  const { parentId } = undo;
  if (!parent || parent.seq === null || parent.operation === null) {
    return { kind: 'parent', detail: `the wallet has no transaction ${parentId}, its parent` };
  }
  const [operation, of] = [operationOfCode(undo.operation), operationOfCode(parent.operation)];
  if (parent.seq >= undo.seq) return { kind: 'parent', detail: 'its parent is not before it' };
  if (!canUndo(operation, of)) return { kind: 'parent', detail: `a ${operation} undoes a ${of}` };
  if (parent.amount !== -undo.amountMinor) {
    const detail = `it returns ${undo.amountMinor}, its parent has the amount ${parent.amount}`;
    return { kind: 'undo', detail };
  }
  if (parent.first_undo === null || parent.first_undo >= undo.seq) return undefined;
  return { kind: 'undo', detail: `entry ${parent.first_undo} has undone its parent already` };
}

/** Messages that wait among the dead letters. */
export const countPendingMessages = (db: Db): Promise<number> => db.read(countPending);
