import { sql, type Tx } from '../../platform/db/db.ts';
import type { WalletState } from '../domain.ts';
import { readExpiring } from './rare-states.ts';

/**
 * What these wallets still hold by holds whose time is over, in minor units by wallet: it can be
 * spent, for its release is entered before anything else. Absent: nothing.
 */
export async function readHeldOver(
  tx: Tx,
  wallets: readonly WalletState[],
  clockMs: number,
): Promise<ReadonlyMap<string, bigint>> {
  const byId = new Map(wallets.map((wallet) => [wallet.id, wallet]));
  const { due } = await readExpiring(tx, byId, clockMs);
  const over = new Map<string, bigint>();
  for (const [walletId, holds] of due) {
    over.set(
      walletId,
      holds.reduce((sum, hold) => sum + hold.amountMinor - hold.usedMinor, 0n),
    );
  }
  return over;
}

const heldOverAtSql = sql(
  'hold_over_at',
  // Of holds whose time was over at $3, the rest is released by the entries that follow, before all
  // others: a wallet has 1,024 open holds at most. What has not been released yet is open.
  `SELECT ((SELECT coalesce(sum(amount - used), 0) FROM holds
     WHERE wallet_id = $1 AND state = 'open' AND expires_at <= $3)
   + (SELECT coalesce(sum(-t.held), 0) FROM (
       SELECT parent_id, held, source FROM transactions
       WHERE wallet_id = $1 AND seq > $2 AND seq <= $2 + 1024 ORDER BY seq OFFSET 0) t
     CROSS JOIN LATERAL (SELECT expires_at FROM holds
       WHERE id = t.parent_id AND wallet_id = $1 OFFSET 0) h
     WHERE t.source = 3 AND h.expires_at <= $3))::bigint AS over`,
);

/**
 * The same of a wallet as it stood at a past time (milliseconds, inclusive), after its last entry
 * until then.
 */
export async function readHeldOverAt(
  tx: Tx,
  { id, seq, held }: Pick<WalletState, 'id' | 'seq' | 'held'>,
  atMs: number,
): Promise<bigint> {
  if (!held || held.heldMinor === 0n) return 0n;
  const at = new Date(atMs).toISOString();
  const [row] = await tx.query<{ over: bigint }>(heldOverAtSql, [id, seq, at]);
  return row?.over ?? 0n;
}
