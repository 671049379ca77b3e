import { sql, type Tx } from '../../platform/db/db.ts';
import type { Terms } from '../domain.ts';
import { toStoredLimits } from '../limits-json.ts';

const termsSql = sql(
  'wallet_terms',
  `UPDATE wallets SET overdraft_limit = $2::bigint, limits = $3::json,
     floor = LEAST(floor, -$2::bigint), terms_no = terms_no + 1
   WHERE id = $1`,
);

/** Changes overdraft limit and spending limits of a locked wallet. */
export async function updateTerms(
  tx: Tx,
  walletId: string,
  { overdraftMinor, limits }: Pick<Terms, 'overdraftMinor' | 'limits'>,
): Promise<void> {
  const stored = limits ? JSON.stringify(toStoredLimits(limits)) : null;
  await tx.execute(termsSql, [walletId, overdraftMinor, stored]);
}
