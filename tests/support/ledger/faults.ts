import type { TestDatabase } from '../postgres/database.ts';
import { expectedGenesis, expectedHash, type LedgerRow } from './chain.ts';

type Row = LedgerRow & {
  wallet_id: string;
  user_id: string;
  currency: string;
  hash: Buffer;
  wallet_balance: string;
  wallet_seq: string;
  wallet_floor: string;
  parent_amount: string | null;
  held: string | null;
};

/**
 * Reads a ledger and lists its faults: gaps in the sequence, wrong sums, overdrafts, hashes that do
 * not match, transactions undone beyond their amount, transfers with one side, wallets that differ
 * from their last transaction.
 */
export async function findLedgerFaults(test: Pick<TestDatabase, 'query'>): Promise<string[]> {
  const rows = await test.query<Row>(
    `SELECT t.*, w.user_id, w.currency, w.balance AS wallet_balance, w.seq AS wallet_seq,
       w.floor AS wallet_floor,
       (extract(epoch FROM t.occurred_at) * 1000)::bigint AS at_ms
     FROM transactions t JOIN wallets w ON w.id = t.wallet_id ORDER BY t.wallet_id, t.seq`,
  );
  const faults: string[] = [];
  const used = new Map<string, bigint>();
  const parents = new Map<string, bigint>();
  const betweenUsers = new Map<string, bigint>();
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
    if (balanceAfterMinor < BigInt(row.wallet_floor)) faults.push(`${where}: overdraft`);
    const hash = expectedHash(state.hash, row);
    if (hash !== row.hash.toString('hex')) faults.push(`${where}: hash`);
    const whole = row.operation === hold ? BigInt(row.held ?? 0) : absolute(amountMinor);
    parents.set(`${row.wallet_id} ${row.id}`, whole);
    if (row.parent_id !== null && !useParent(row, parents, used)) faults.push(`${where}: undo`);
    if (row.contra_account.startsWith('user:')) {
      betweenUsers.set(row.id, (betweenUsers.get(row.id) ?? 0n) + amountMinor);
    }
    state = { ...state, seq, balanceMinor: balanceAfterMinor, hash };
    const isLast = rows[i + 1]?.wallet_id !== row.wallet_id;
    const isSame =
      BigInt(row.wallet_balance) === state.balanceMinor && BigInt(row.wallet_seq) === state.seq;
    if (isLast && !isSame) faults.push(`${where}: the wallet differs from its last transaction`);
  });
  for (const [id, sum] of betweenUsers) if (sum !== 0n) faults.push(`${id}: one side`);
  return faults;
}

const hold = 7;
const absolute = (value: bigint): bigint => (value < 0n ? -value : value);

/** What an entry moves or reserves: the larger one of a capture, which may release besides. */
function sizeOf({ amount, held }: Row): bigint {
  const [moved, reserved] = [absolute(BigInt(amount)), absolute(BigInt(held ?? 0))];
  return moved > reserved ? moved : reserved;
}

/** Whether an undo follows what was undone before, and leaves no less than nothing. */
function useParent(
  row: Row,
  parents: ReadonlyMap<string, bigint>,
  used: Map<string, bigint>,
): boolean {
  const key = `${row.wallet_id} ${row.parent_id}`;
  const whole = parents.get(key) ?? -1n;
  const before = used.get(key) ?? 0n;
  const after = before + sizeOf(row);
  used.set(key, after);
  const isWhole = row.parent_amount !== null && BigInt(row.parent_amount) === whole;
  return BigInt(row.parent_used ?? 0) === before && after <= whole && isWhole;
}
