import { genesisHash } from '../../../core/chain.ts';
import type { OutboundMessage } from '../../platform/broker/broker.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import { appendOutbox, appendReferred } from '../../platform/outbox/relay.ts';
import type { NewEntry } from '../domain.ts';
import type { Refusal } from '../store/inbox.ts';
import { toCreatedMessage, toRejectedMessage } from './messages.ts';
import { entryColumns, toEntry, type EntryRow } from '../store/store.ts';

/** Between the references of a row, and between the two parts of one: a wallet's id and a seq. */
const refEnd = '\n';
const partEnd = ' ';

/** Writes the events of a commit: an event per entry, and one per message refused. */
export async function appendEvents(
  tx: Tx,
  entries: readonly NewEntry[],
  refusals: readonly Refusal[],
): Promise<void> {
  const rejected = refusals.map(toRejectedMessage);
  if (entries.length === 0) return appendOutbox(tx, rejected);
  let references = '';
  for (const { wallet, seq } of entries) references += wallet.id + partEnd + String(seq) + refEnd;
  const make = () => entries.map(toCreatedMessage);
  return appendReferred(tx, { references, count: entries.length, make }, rejected);
}

type ReferredRow = EntryRow & { previous_hash: Buffer | null };

const referredSql = sql(
  'outbox_entries',
  // A lookup per entry, spelt out, for the reason that `entry_by_id` has.
  `SELECT ${entryColumns}, previous.hash AS previous_hash
   FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS asked(wallet_id, seq, place)
   CROSS JOIN LATERAL (SELECT * FROM transactions
     WHERE wallet_id = asked.wallet_id AND seq = asked.seq OFFSET 0) t
   LEFT JOIN LATERAL (SELECT hash FROM transactions
     WHERE wallet_id = asked.wallet_id AND seq = asked.seq - 1 OFFSET 0) previous ON true
   JOIN wallets w ON w.id = t.wallet_id
   ORDER BY asked.place`,
);

/** The events of the entries that a row of the outbox names, from the ledger. */
export async function loadEvents(tx: Tx, references: string): Promise<OutboundMessage[]> {
  const refs = references.split(refEnd).slice(0, -1);
  const parts = refs.map((ref) => ref.split(partEnd));
  const rows = await tx.query<ReferredRow>(referredSql, [
    parts.map(([walletId]) => walletId),
    parts.map(([, seq]) => seq),
  ]);
  if (rows.length !== refs.length) {
    throw new Error(`the outbox names ${refs.length} entries, the ledger has ${rows.length}`);
  }
  return rows.map((row) =>
    toCreatedMessage({ ...toEntry(row), previousHash: previousHashOf(row) }),
  );
}

function previousHashOf({ seq, ...row }: ReferredRow): string {
  if (row.previous_hash) return row.previous_hash.toString('hex');
  if (seq === 1n) return genesisHash(row.wallet_id, row.user_id, row.currency);
  throw new Error(`the ledger has no entry before seq ${seq} of wallet ${row.wallet_id}`);
}
