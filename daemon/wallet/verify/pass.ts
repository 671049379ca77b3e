import {
  createMerge,
  type ChildEntry,
  type LedgerFinding,
} from '../../../core/ledger-check/index.ts';
import { createSerial } from '../../platform/concurrency/serial.ts';
import type { Pages, PageSize } from '../../platform/db/copy-pages.ts';
import { withSnapshots, type Db, type Tx } from '../../platform/db/db.ts';
import { createHoldCheck } from './holds.ts';
import { checkOutbox } from './outbox.ts';
import { createAllPairs, createPairsOf, type PairCheck } from './pairs.ts';
import { checkParents } from './parents.ts';
import {
  countPending,
  openEntries,
  openWallets,
  type IdSpan,
  type Place,
  type RunInTx,
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
 * Checks all entries, wallets, holds and outbox rows of one snapshot, in one pass in order of
 * wallet and seq. The ids of wallets are divided into spans, of which several are checked at a
 * time; two pages of each reader are in memory, whatever a wallet has. Lines must be of an earlier
 * snapshot.
 */
export async function verifyLedger(options: VerifyOptions): Promise<void> {
  const { db, walletId, readers, lines, onPart } = options;
  const spans = walletId === undefined ? [...listSpans()] : [{ first: walletId, last: walletId }];
  const count = Math.min(readers, spans.length);
  const size = { ...options.size, spare: [] };
  await withSnapshots(db, count, async (txs) => {
    const [first] = txs;
    if (first) await checkOutbox(first, walletId, onPart);
    const all = walletId === undefined ? createAllPairs() : undefined;
    const pairs = all?.check ?? createPairsOf(walletId ?? '');
    let failed: Error | undefined;
    const work = async (tx: Tx, open: OpenLines | undefined): Promise<void> => {
      try {
        for (let span = spans.shift(); span && failed === undefined; span = spans.shift()) {
          await checkSpan({
            tx,
            span,
            open,
            pairs,
            options: { ...options, size },
            isStopped: () => failed !== undefined,
          });
        }
      } catch (err) {
        failed ??= err instanceof Error ? err : new Error('the pass failed', { cause: err });
      }
    };
    await Promise.all(txs.map((tx, i) => work(tx, lines?.[i])));
    if (failed !== undefined) throw failed;
    if (!first || !all) return;
    for await (const findings of all.finish(first)) {
      await onPart({ findings, missing: [], wallets: 0, transactions: 0 });
    }
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

type SpanCheck = {
  readonly tx: Tx;
  readonly span: IdSpan;
  readonly open: OpenLines | undefined;
  readonly pairs: PairCheck;
  readonly options: VerifyOptions;
  isStopped(): boolean;
};

async function checkSpan({ tx, span, open, pairs, options, isStopped }: SpanCheck): Promise<void> {
  const { size, onPart } = options;
  const found: LedgerFinding[] = [];
  const children: ChildEntry[] = [];
  const holds = createHoldCheck(span);
  const missing: Place[] = [];
  const merge = createMerge({
    report: (finding) => found.push(finding),
    onChild: (child) => children.push(child),
    onHold: holds.onHold,
    onOpenHolds: holds.onOpenHolds,
    onPair: pairs.onPair,
    ...(open ? { onMissing: (walletId, seq) => missing.push({ walletId, seq }) } : {}),
  });
  const serial = createSerial();
  const run: RunInTx = (work) => serial(() => work(tx));
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
    if (children.length > 0) found.push(...(await checkParents(run, children.splice(0))));
    found.push(...(await holds.flush(run)), ...(await pairs.flush(run)));
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
    if (isStopped()) return;
    for await (const findings of holds.finish(run)) {
      await onPart({ findings, missing: [], wallets: 0, transactions: 0 });
    }
  } finally {
    // What is read ahead must not meet the end of the transaction.
    for (const [, pages] of readers) await pages.end();
  }
}

/** Messages that wait among the dead letters. */
export const countPendingMessages = (db: Db): Promise<number> => db.read(countPending);
