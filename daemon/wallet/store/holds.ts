import { sql, type Tx } from '../../platform/db/db.ts';
import {
  rowsOfArrays,
  toInt8Array,
  toTextArray,
  toTimeArray,
  toUuidArray,
} from '../../platform/db/sql-arrays.ts';
import type { Hold, HoldState } from '../domain.ts';
import type { EntryKey } from './store.ts';

export type HoldRow = {
  id: string;
  wallet_id: string;
  seq: bigint;
  amount: bigint;
  used: bigint;
  captured: bigint;
  state: HoldState;
  contra_account: string;
  placed_at: number;
  expires_at: number;
  closed_at: number | null;
};

export const holdColumns = `h.id, h.wallet_id, h.seq, h.amount, h.used, h.captured, h.state,
  h.contra_account, h.placed_at, h.expires_at, h.closed_at`;

export const toHold = (row: HoldRow): Hold => ({
  id: row.id,
  walletId: row.wallet_id,
  seq: row.seq,
  amountMinor: row.amount,
  usedMinor: row.used,
  capturedMinor: row.captured,
  state: row.state,
  contraAccount: row.contra_account,
  placedAtMs: row.placed_at,
  expiresAtMs: row.expires_at,
  closedAtMs: row.closed_at ?? undefined,
});

const upsertSql = sql(
  'hold_upsert',
  `INSERT INTO holds (wallet_id, id, seq, amount, used, captured, state, contra_account, placed_at,
     expires_at, closed_at)
   ${rowsOfArrays({
     wallet_id: 'uuid',
     id: 'uuid',
     seq: 'bigint',
     amount: 'bigint',
     used: 'bigint',
     captured: 'bigint',
     state: 'text',
     contra_account: 'text',
     placed_at: 'timestamptz',
     expires_at: 'timestamptz',
     closed_at: 'timestamptz',
   })}
   ON CONFLICT (wallet_id, id) DO UPDATE SET used = EXCLUDED.used, captured = EXCLUDED.captured,
     state = EXCLUDED.state, closed_at = EXCLUDED.closed_at`,
);

/** Writes holds of locked wallets as they are after a commit: new ones and changed ones. */
export async function upsertHolds(tx: Tx, holds: readonly Hold[]): Promise<void> {
  if (holds.length === 0) return;
  await tx.execute(upsertSql, [
    toUuidArray(holds, (h) => h.walletId),
    toUuidArray(holds, (h) => h.id),
    toInt8Array(holds, (h) => h.seq),
    toInt8Array(holds, (h) => h.amountMinor),
    toInt8Array(holds, (h) => h.usedMinor),
    toInt8Array(holds, (h) => h.capturedMinor),
    toTextArray(holds, (h) => h.state),
    toTextArray(holds, (h) => h.contraAccount),
    toTimeArray(holds, (h) => h.placedAtMs),
    toTimeArray(holds, (h) => h.expiresAtMs),
    toTimeArray(holds, (h) => h.closedAtMs),
  ]);
}

const readSql = sql(
  'hold_read',
  `SELECT ${holdColumns} FROM unnest($1::uuid[], $2::uuid[]) AS asked(id, wallet_id)
   CROSS JOIN LATERAL (SELECT * FROM holds
     WHERE wallet_id = asked.wallet_id AND id = asked.id OFFSET 0) h`,
);

/** Holds by id; absent where the id is no hold of that wallet. */
export async function readHolds(
  tx: Tx,
  keys: readonly EntryKey[],
): Promise<ReadonlyMap<string, Hold>> {
  if (keys.length === 0) return new Map();
  const rows = await tx.query<HoldRow>(readSql, [
    toUuidArray(keys, (key) => key.id),
    toUuidArray(keys, (key) => key.walletId),
  ]);
  return new Map(rows.map((row) => [row.id, toHold(row)]));
}

/** More than a wallet may have open at once. */
const maxOpen = 1_025;

const dueSql = sql(
  'hold_due',
  `SELECT ${holdColumns} FROM unnest($1::uuid[], $2::timestamptz[]) AS asked(wallet_id, at)
   CROSS JOIN LATERAL (
     (SELECT * FROM holds
      WHERE wallet_id = asked.wallet_id AND state = 'open' AND expires_at <= asked.at
      ORDER BY expires_at, id LIMIT ${maxOpen})
     UNION ALL
     (SELECT * FROM holds
      WHERE wallet_id = asked.wallet_id AND state = 'open' AND expires_at > asked.at
      ORDER BY expires_at, id LIMIT 1)) h
   ORDER BY h.wallet_id, h.expires_at, h.id`,
);

/** A wallet, and the time of its next entry. */
type WalletTime = { readonly walletId: string; readonly atMs: number };

/** The open holds of a wallet whose time is over, and when the first of the others ends. */
export type DueHolds = { readonly due: readonly Hold[]; readonly nextExpiryMs: number | undefined };

/** The same of each of these wallets, in order of expiry and id. */
export async function readDue(
  tx: Tx,
  wallets: readonly WalletTime[],
): Promise<ReadonlyMap<string, DueHolds>> {
  if (wallets.length === 0) return new Map();
  const rows = await tx.query<HoldRow>(dueSql, [
    toUuidArray(wallets, ({ walletId }) => walletId),
    toTimeArray(wallets, ({ atMs }) => atMs),
  ]);
  const byWallet = new Map<string, Hold[]>();
  for (const hold of rows.map(toHold)) {
    const known = byWallet.get(hold.walletId);
    if (known) known.push(hold);
    else byWallet.set(hold.walletId, [hold]);
  }
  return new Map(
    wallets.map(({ walletId, atMs }) => {
      const open = byWallet.get(walletId) ?? [];
      const isDue = ({ expiresAtMs }: Hold): boolean => expiresAtMs <= atMs;
      const nextExpiryMs = open.find((hold) => !isDue(hold))?.expiresAtMs;
      return [walletId, { due: open.filter(isDue), nextExpiryMs }];
    }),
  );
}

const countSql = sql(
  'hold_count',
  `SELECT asked.wallet_id, (SELECT count(*)::int FROM (SELECT FROM holds
     WHERE wallet_id = asked.wallet_id AND state = 'open' LIMIT ${maxOpen}) AS open) AS open
   FROM unnest($1::uuid[]) AS asked(wallet_id)`,
);

/** How many open holds each of these wallets has, those whose time is over included. */
export async function countOpen(
  tx: Tx,
  walletIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (walletIds.length === 0) return new Map();
  const rows = await tx.query<{ wallet_id: string; open: number }>(countSql, [
    toUuidArray(walletIds, (id) => id),
  ]);
  return new Map(rows.map((row) => [row.wallet_id, row.open]));
}

const sweepSql = sql(
  'hold_sweep',
  `SELECT h.id, h.wallet_id, w.user_id, w.currency, w.exponent, h.expires_at
   FROM (SELECT id, wallet_id, expires_at FROM holds
     WHERE state = 'open' AND expires_at <= statement_timestamp()
       AND (expires_at, id) > ($1, $2::uuid)
     ORDER BY expires_at, id LIMIT $3) h
   CROSS JOIN LATERAL (SELECT * FROM wallets WHERE id = h.wallet_id OFFSET 0) w
   ORDER BY h.expires_at, h.id`,
);

/** An open hold whose time is over, with its wallet. */
export type ExpiredHold = {
  readonly id: string;
  readonly wallet: {
    readonly id: string;
    readonly userId: string;
    readonly currency: string;
    readonly exponent: number;
  };
  readonly expiresAtMs: number;
};
export type HoldPlace = Pick<ExpiredHold, 'id' | 'expiresAtMs'>;

/** Of all wallets the open holds whose time is over by the database's clock, behind a place. */
export async function listExpired(
  tx: Tx,
  after: HoldPlace | undefined,
  limit: number,
): Promise<ExpiredHold[]> {
  type Row = Pick<HoldRow, 'id' | 'wallet_id' | 'expires_at'> & {
    user_id: string;
    currency: string;
    exponent: number;
  };
  const place = after ? new Date(after.expiresAtMs).toISOString() : '-infinity';
  const rows = await tx.query<Row>(sweepSql, [place, after?.id ?? firstId, limit]);
  return rows.map((row) => ({
    id: row.id,
    wallet: {
      id: row.wallet_id,
      userId: row.user_id,
      currency: row.currency,
      exponent: row.exponent,
    },
    expiresAtMs: row.expires_at,
  }));
}

export const firstId = '00000000-0000-0000-0000-000000000000';
