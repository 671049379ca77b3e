import { expectedGenesis, expectedHash, sourceNames } from './chain.ts';
import type { EntryRow, LineRow, WalletRow } from './final-rows.ts';

/**
 * The entries of one wallet in this order, with the numbers, balances and hashes that follow from
 * it, and the lines and the wallet that belong to them.
 */
export function chainRows(entries: readonly EntryRow[]): {
  readonly entries: EntryRow[];
  readonly lines: LineRow[];
  readonly wallets: WalletRow[];
} {
  const chained: EntryRow[] = [];
  const lines: LineRow[] = [];
  let [balance, held] = [0n, 0n];
  for (const [i, entry] of entries.entries()) {
    const { wallet_id: walletId, user_id: userId, currency } = entry;
    const previous = chained.at(-1)?.hash ?? expectedGenesis(walletId, userId, currency);
    balance += BigInt(entry.amount);
    held += BigInt(entry.held ?? 0);
    const row = {
      ...{ ...entry, seq: String(i + 1), balance_after: String(balance) },
      held_after: held === 0n ? null : String(held),
    };
    const next = { ...row, hash: expectedHash(previous, row) };
    chained.push(next);
    const source = sourceNames[next.source] ?? '';
    lines.push({ ...next, source, previous_hash: previous });
  }
  const last = chained.at(-1);
  const wallets = last
    ? [
        {
          ...{ id: last.wallet_id, balance: last.balance_after, seq: last.seq },
          ...{ last_hash: last.hash, held: last.held_after ?? '0' },
        },
      ]
    : [];
  return { entries: chained, lines, wallets };
}
