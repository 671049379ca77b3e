import { chainHash, genesisHash } from '../../../core/chain.ts';
import { operations } from '../../../core/operations.ts';
import type { TestDatabase } from '../postgres/database.ts';

type Row = {
  wallet_id: string;
  user_id: string;
  currency: string;
  seq: string;
  id: string;
  operation: number;
  amount: string;
  balance_after: string;
  contra_account: string;
  parent_id: string | null;
  source: number;
  actor: string;
  description: string | null;
  metadata: Record<string, string> | null;
  at_ms: string;
  hash: Buffer;
  wallet_balance: string;
  wallet_seq: string;
};

/** Reads a whole ledger and says what is wrong with it: gaps, sums, overdrafts, chain, second undos. */
export async function findLedgerFaults(test: Pick<TestDatabase, 'query'>): Promise<string[]> {
  const rows = await test.query<Row>(
    `SELECT t.*, w.user_id, w.currency, w.balance AS wallet_balance, w.seq AS wallet_seq,
       (extract(epoch FROM t.occurred_at) * 1000)::bigint AS at_ms
     FROM transactions t JOIN wallets w ON w.id = t.wallet_id ORDER BY t.wallet_id, t.seq`,
  );
  const faults: string[] = [];
  const undone = new Set<string>();
  let state = { walletId: '', seq: 0n, balanceMinor: 0n, hash: genesisHash('', '', '') };
  rows.forEach((row, i) => {
    if (row.wallet_id !== state.walletId) {
      const hash = genesisHash(row.wallet_id, row.user_id, row.currency);
      state = { walletId: row.wallet_id, seq: 0n, balanceMinor: 0n, hash };
    }
    const entry = toChainedFields(row);
    const where = `${row.wallet_id} seq ${row.seq}`;
    if (entry.seq !== state.seq + 1n) faults.push(`${where}: gap`);
    if (entry.balanceAfterMinor !== state.balanceMinor + entry.amountMinor)
      faults.push(`${where}: sum`);
    if (entry.balanceAfterMinor < 0n) faults.push(`${where}: overdraft`);
    const hash = chainHash(state.hash, entry);
    if (hash !== row.hash.toString('hex')) faults.push(`${where}: hash`);
    if (row.parent_id !== null && undone.has(row.parent_id)) faults.push(`${where}: undone twice`);
    if (row.parent_id !== null) undone.add(row.parent_id);
    state = { ...state, seq: entry.seq, balanceMinor: entry.balanceAfterMinor, hash };
    const isLast = rows[i + 1]?.wallet_id !== row.wallet_id;
    const isHead =
      BigInt(row.wallet_balance) === state.balanceMinor && BigInt(row.wallet_seq) === state.seq;
    if (isLast && !isHead) faults.push(`${where}: the wallet says otherwise`);
  });
  return faults;
}

function toChainedFields(row: Row) {
  return {
    id: row.id,
    seq: BigInt(row.seq),
    operation: operations[row.operation - 1]!,
    amountMinor: BigInt(row.amount),
    balanceAfterMinor: BigInt(row.balance_after),
    contraAccount: row.contra_account,
    parentId: row.parent_id ?? undefined,
    source: row.source === 2 ? 'message' : 'grpc',
    actor: row.actor,
    description: row.description ?? undefined,
    metadata: row.metadata ?? {},
    occurredAtMs: Number(row.at_ms),
  };
}
