import type { Ledger, Entry } from '../support/ledger/ledger-rows.ts';
import { newWallet } from '../support/ledger/ledger-rows.ts';
import { rewriteWallet } from '../support/ledger/rows/forgeries.ts';
import { insertLedger } from '../support/ledger/write-ledger.ts';

export type Query = <Row extends object>(
  service: 'wallet' | 'statement',
  text: string,
  values: unknown[],
) => Promise<Row[]>;

/**
 * Changes the entries of a wallet, and computes again what follows from them: numbers, sums,
 * hashes, the wallet's row and the statement lines, in both databases.
 */
export async function forgeWallet(
  query: Query,
  userId: string,
  walletId: string,
  change: (entries: Entry[]) => Entry[],
): Promise<void> {
  const found = await query<Record<string, string | number | null>>('wallet', readSql, [walletId]);
  const wallet = newWallet(walletId, userId);
  const [row] = await query<{ micros: string | null }>('wallet', expirySql, [walletId]);
  wallet.next_expiry_micros = row?.micros == null ? null : BigInt(row.micros);
  const ledger: Ledger = { wallets: [wallet], entries: [], lines: [], holds: [] };
  rewriteWallet(ledger, walletId, change(found.map(toEntry)));
  await query('wallet', 'DELETE FROM transactions WHERE wallet_id = $1', [walletId]);
  await query('wallet', 'DELETE FROM wallets WHERE id = $1', [walletId]);
  await query('statement', 'DELETE FROM statement_lines WHERE wallet_id = $1', [walletId]);
  await insertLedger(query, ledger);
  await query('wallet', holdsSql, [walletId]);
}

const expirySql = `SELECT (extract(epoch FROM next_expiry) * 1000000)::bigint::text AS micros
  FROM wallets WHERE id = $1`;

const holdsSql = `UPDATE holds h SET seq = t.seq FROM transactions t
  WHERE h.wallet_id = $1 AND t.wallet_id = h.wallet_id AND t.id = h.id`;

const readSql = `SELECT wallet_id, seq::int AS seq, id, operation, amount::text, balance_after::text,
    contra_account, parent_id, source, actor, description, metadata::text,
    (extract(epoch FROM occurred_at) * 1000000)::bigint::text AS micros,
    encode(hash, 'hex') AS hash, parent_used::text, parent_amount::text, held::text
  FROM transactions WHERE wallet_id = $1 ORDER BY seq`;

const amountNames = [
  ...['amount', 'balance_after', 'micros', 'parent_used', 'parent_amount', 'held'],
];

function toEntry(row: Readonly<Record<string, string | number | null>>): Entry {
  const values = Object.entries(row).map(([name, value]) => [
    name,
    amountNames.includes(name) && value !== null ? BigInt(value) : value,
  ]);
  const absent = { held_after: null, group_id: null, debited_after: 0n };
  return { ...absent, ...(Object.fromEntries(values) as Omit<Entry, keyof typeof absent>) };
}
