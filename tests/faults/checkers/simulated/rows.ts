import { chainRows } from '../../../support/ledger/chain-rows.ts';
import type { EntryRow, FinalRows, RefusalRow } from '../../../support/ledger/final-rows.ts';
import { operationCodes, walletOf, type Done } from '../../../support/ledger/wallet-model.ts';
import type { HeardEntry } from '../../record/history.ts';
import { groupBy } from '../group.ts';
import { toEvent } from '../projections.ts';

export const currency = 'BRL';

/** An entry without its number, balance and hash, which follow from its place. */
export function toEntry(userId: string, done: Done, source: 1 | 2, atMs: number): EntryRow {
  return {
    ...{ id: done.id, seq: '0', operation: operationCodes[done.operation] },
    ...{ amount: String(done.amountMinor), balance_after: '0' },
    ...{ contra_account: done.contraAccount, parent_id: done.parentId ?? null },
    held: done.heldMinor === 0n ? null : String(done.heldMinor),
    ...{ held_after: null, group_id: null },
    parent_used: done.usedMinor === 0n ? null : String(done.usedMinor),
    ...{ source, actor: userId, description: null, metadata: null, at_ms: String(atMs) },
    ...{ wallet_id: walletOf(userId, currency, 2).id, user_id: userId, currency, hash: '' },
  };
}

/** All rows that belong to these entries, each wallet's in this order. */
export function toFinalRows(
  entries: readonly EntryRow[],
  refusals: readonly RefusalRow[] = [],
): FinalRows {
  const groups = [...groupBy(entries, (entry) => entry.wallet_id)];
  const chains = groups.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => chainRows(group));
  return {
    entries: chains.flatMap((chain) => chain.entries),
    lines: chains.flatMap((chain) => chain.lines),
    wallets: chains.flatMap((chain) => chain.wallets),
    ...{ refusals, divergences: 0, outboxRows: 0 },
  };
}

/** The event of each entry, heard at the time given. */
export const toHeard = (
  { lines, entries }: FinalRows,
  atMsOf: (entry: EntryRow) => number,
): readonly HeardEntry[] =>
  entries.map((entry, i) => ({
    ...toEvent(entry, lines[i]?.previous_hash ?? ''),
    atMs: atMsOf(entry),
  }));
