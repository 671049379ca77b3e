import type { TestDatabase } from '../postgres/database.ts';
import { expectedGenesis, expectedHash, type LedgerRow } from './chain.ts';

type Row = LedgerRow & {
  wallet_id: string;
  user_id: string;
  currency: string;
  hash: Buffer;
  wallet_balance: string;
  wallet_seq: string;
};

/**
 * Reads a ledger and lists its faults: gaps in the sequence, wrong sums, overdrafts, hashes that do
 * not match, transactions undone twice, wallets that differ from their last transaction.
 */
export async function findLedgerFaults(test: Pick<TestDatabase, 'query'>): Promise<string[]> {
  const rows = await test.query<Row>(
    `SELECT t.*, w.user_id, w.currency, w.balance AS wallet_balance, w.seq AS wallet_seq,
       (extract(epoch FROM t.occurred_at) * 1000)::bigint AS at_ms
     FROM transactions t JOIN wallets w ON w.id = t.wallet_id ORDER BY t.wallet_id, t.seq`,
  );
  const faults: string[] = [];
  const undone = new Set<string>();
  let state = { walletId: '', seq: 0n, balanceMinor: 0n, hash: expectedGenesis('', '', '') };
  rows.forEach((row, i) => {
    if (row.wallet_id !== state.walletId) {
      const hash = expectedGenesis(row.wallet_id, row.user_id, row.currency);
      state = { walletId: row.wallet_id, seq: 0n, balanceMinor: 0n, hash };
    }
    const [seq, amountMinor] = [BigInt(row.seq), BigInt(row.amount)];
    const balanceAfterMinor = BigInt(row.balance_after);
    const where = `${row.wallet_id} seq ${row.seq}`;
    if (seq !== state.seq + 1n) faults.push(`${where}: gap`);
    if (balanceAfterMinor !== state.balanceMinor + amountMinor) faults.push(`${where}: sum`);
    if (balanceAfterMinor < 0n) faults.push(`${where}: overdraft`);
    const hash = expectedHash(state.hash, row);
    if (hash !== row.hash.toString('hex')) faults.push(`${where}: hash`);
    if (row.parent_id !== null && undone.has(row.parent_id)) faults.push(`${where}: undone twice`);
    if (row.parent_id !== null) undone.add(row.parent_id);
    state = { ...state, seq, balanceMinor: balanceAfterMinor, hash };
    const isLast = rows[i + 1]?.wallet_id !== row.wallet_id;
    const isSame =
      BigInt(row.wallet_balance) === state.balanceMinor && BigInt(row.wallet_seq) === state.seq;
    if (isLast && !isSame) faults.push(`${where}: the wallet differs from its last transaction`);
  });
  return faults;
}
