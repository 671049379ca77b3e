import type { TestDatabase } from '../postgres/database.ts';

type Use = {
  wallet_id: string;
  id: string;
  operation: number;
  amount: string;
  held: string;
  parent_id: string | null;
  source: number;
};
type HoldRow = { wallet_id: string; id: string; used: string; captured: string; state: string };
type Folded = { amountMinor: bigint; usedMinor: bigint; capturedMinor: bigint; state: string };

const [hold, capture] = [7, 8];
const system = 3;

/**
 * Lists what is wrong with the table of holds and with what wallets have reserved, by the entries
 * alone: written from the rules and not from the product's code.
 */
export async function findHoldFaults(test: Pick<TestDatabase, 'query'>): Promise<string[]> {
  const entries = await test.query<Use>(
    `SELECT wallet_id, id, operation, amount, held, parent_id, source FROM transactions
     WHERE held IS NOT NULL ORDER BY wallet_id, seq`,
  );
  const folded = new Map<string, Folded>();
  const heldOf = new Map<string, bigint>();
  const faults: string[] = [];
  for (const entry of entries) {
    heldOf.set(entry.wallet_id, (heldOf.get(entry.wallet_id) ?? 0n) + BigInt(entry.held));
    if (entry.operation === hold) {
      const amountMinor = BigInt(entry.held);
      folded.set(entry.id, { amountMinor, usedMinor: 0n, capturedMinor: 0n, state: 'open' });
    } else if (!useHold(folded.get(entry.parent_id ?? ''), entry)) {
      faults.push(`${entry.id} uses a hold that is not there, or not open`);
    }
  }
  const rows = await test.query<HoldRow>('SELECT wallet_id, id, used, captured, state FROM holds');
  if (rows.length !== folded.size) faults.push(`${rows.length} rows for ${folded.size} holds`);
  for (const row of rows) {
    const known = folded.get(row.id);
    const expected = known && `${known.usedMinor} ${known.capturedMinor} ${known.state}`;
    const actual = `${row.used} ${row.captured} ${row.state}`;
    if (actual !== expected) faults.push(`hold ${row.id} is ${actual}, and not ${expected}`);
  }
  const wallets = await test.query<{ id: string; held: string }>('SELECT id, held FROM wallets');
  for (const { id, held } of wallets) {
    const expected = heldOf.get(id) ?? 0n;
    if (BigInt(held) !== expected) faults.push(`wallet ${id} holds ${held}, and not ${expected}`);
  }
  return faults;
}

/** Uses up a part of a hold, or all of it. */
function useHold(known: Folded | undefined, entry: Use): boolean {
  if (known?.state !== 'open') return false;
  const capturedMinor = entry.operation === capture ? -BigInt(entry.amount) : 0n;
  const releasedMinor = -BigInt(entry.held);
  known.usedMinor += releasedMinor > capturedMinor ? releasedMinor : capturedMinor;
  known.capturedMinor += capturedMinor;
  if (known.usedMinor < known.amountMinor) return true;
  const isCaptured = known.capturedMinor > 0n;
  if (entry.source === system) known.state = 'expired';
  else known.state = isCaptured ? 'captured' : 'released';
  return known.usedMinor === known.amountMinor;
}
