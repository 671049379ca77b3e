import {
  createPairSums,
  findUnpaired,
  namesOther,
  readUuid,
  type CheckListener,
  type LedgerFinding,
  type PairSide,
} from '../../../core/ledger-check/index.ts';
import type { Tx } from '../../platform/db/db.ts';
import { findSides, readSides, type IdSpan, type RunInTx, type SideRow } from './store.ts';

const rowsPerRead = 1_000;
const lowestId = '00000000-0000-0000-0000-000000000000';

export type PairCheck = {
  /** Takes down a side; an entry of a span has one at most. */
  readonly onPair: NonNullable<CheckListener['onPair']>;
  /** What is wrong with the sides since the last call, as far as that is known by now. */
  flush(run: RunInTx): Promise<LedgerFinding[]>;
};

/**
 * Looks for the other side of each movement between two users' wallets, over all wallets: in one
 * MiB of sums, whatever the size of the ledger. Only where these show that sides are missing, the
 * ids are looked at.
 */
export function createAllPairs() {
  const sums = createPairSums();
  const check: PairCheck = { onPair: sums.add, flush: () => Promise.resolve([]) };
  return {
    check,
    /** After all entries. Gives the findings part by part. */
    finish: async function* (tx: Tx): AsyncGenerator<readonly LedgerFinding[], void> {
      for (const range of sums.listUneven()) yield* listUnpaired(tx, range);
    },
  };
}

/** The same of one wallet: each of its sides is looked up. */
export function createPairsOf(walletId: string): PairCheck {
  let ids: string[] = [];
  return {
    onPair: ({ bytes, sharedAt }) => void ids.push(readUuid(bytes, sharedAt + 4)),
    flush: async (run) => {
      if (ids.length === 0) return [];
      const asked = ids;
      ids = [];
      const rows = await run((tx) => findSides(tx, asked));
      return toFindings(rows).filter((finding) => finding.walletId === walletId);
    },
  };
}

async function* listUnpaired(
  tx: Tx,
  { first, last }: IdSpan,
): AsyncGenerator<readonly LedgerFinding[], void> {
  let rows: SideRow[] = [];
  let after = { id: first, walletId: lowestId };
  for (;;) {
    const read = await readSides(tx, after, last, rowsPerRead);
    rows.push(...read);
    const end = read.at(-1);
    if (!end || read.length < rowsPerRead) break;
    after = { id: end.id, walletId: end.wallet_id };
    // More sides of the last id may follow.
    yield toFindings(rows.filter(({ id }) => id !== end.id));
    rows = rows.filter(({ id }) => id === end.id);
  }
  yield toFindings(rows);
}

function toFindings(rows: readonly SideRow[]): LedgerFinding[] {
  const byId = new Map<string, PairSide[]>();
  for (const row of rows) {
    if (!namesOther(row.contra_account, row.user_id)) continue;
    const sides = byId.get(row.id);
    if (sides) sides.push(toSide(row));
    else byId.set(row.id, [toSide(row)]);
  }
  return [...byId.values()].flatMap((sides) =>
    findUnpaired(sides).map(({ side, detail }): LedgerFinding => {
      const { walletId, seq } = side;
      return { walletId, seq, kind: 'pair', detail };
    }),
  );
}

const toSide = (row: SideRow): PairSide => ({
  walletId: row.wallet_id,
  seq: row.seq,
  id: row.id,
  operation: row.operation,
  amountMinor: row.amount,
  contraAccount: row.contra_account,
  parentId: row.parent_id ?? undefined,
  parentUsedMinor: row.parent_used,
  userId: row.user_id,
  currency: row.currency,
});
