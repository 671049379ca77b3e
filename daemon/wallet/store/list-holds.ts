import { sql, type Tx } from '../../platform/db/db.ts';
import type { Hold, HoldState, WalletRef } from '../domain.ts';
import { firstId, holdColumns, toHold, type HoldPlace, type HoldRow } from './holds.ts';

/** A hold, and whose wallet it is on. */
export type OwnedHold = { readonly hold: Hold; readonly wallet: WalletRef };

type OwnedRow = HoldRow & { user_id: string; currency: string; exponent: number };
const ownedColumns = `${holdColumns}, w.user_id, w.currency, w.exponent`;
const joinWallet = `CROSS JOIN LATERAL (SELECT * FROM wallets WHERE id = h.wallet_id OFFSET 0) w`;

const toOwned = (row: OwnedRow): OwnedHold => ({
  hold: toHold(row),
  wallet: {
    id: row.wallet_id,
    userId: row.user_id,
    currency: row.currency,
    exponent: row.exponent,
  },
});

const findSql = sql(
  'hold_of_owner',
  `SELECT ${ownedColumns} FROM (SELECT * FROM holds WHERE id = $1 OFFSET 0) h ${joinWallet}
   WHERE $2::uuid IS NULL OR w.user_id = $2`,
);

/** A hold by its id, of this owner only unless `userId` is undefined. */
export async function findHold(
  tx: Tx,
  id: string,
  userId: string | undefined,
): Promise<OwnedHold | undefined> {
  const [row] = await tx.query<OwnedRow>(findSql, [id, userId]);
  return row && toOwned(row);
}

/** Rows of a state whose holds end in a time: after `fromMs`, and at `untilMs` at the latest. */
export type HoldSpan = {
  readonly state: HoldState;
  readonly fromMs: number | undefined;
  readonly untilMs: number | undefined;
};

/** Each state in turn, along an index, and then in order. */
const listSql = (name: string, where: string) =>
  sql(
    name,
    `SELECT ${ownedColumns} FROM (
       SELECT one.* FROM unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::timestamptz[])
         AS asked(state, from_at, from_id, until_at)
       CROSS JOIN LATERAL (SELECT * FROM holds
         WHERE ${where}state = asked.state AND expires_at <= asked.until_at
           AND (expires_at, id) > (asked.from_at, asked.from_id)
         ORDER BY expires_at, id LIMIT $5) one
       ORDER BY one.expires_at, one.id LIMIT $5) h
     ${joinWallet}
     ORDER BY h.expires_at, h.id`,
  );
const listAllSql = listSql('hold_list_all', '');
const listOfWalletSql = listSql('hold_list', 'wallet_id = $6::uuid AND ');

// Passes over the holds in other currencies.
const listInSql = listSql(
  'hold_list_in',
  '(SELECT w.currency FROM wallets w WHERE w.id = wallet_id) = $6::text AND ',
);

const timeOf = (ms: number | undefined, fallback: string): string =>
  ms === undefined ? fallback : new Date(ms).toISOString();

/** The later of the end of a time and the end of the page before. */
function startOf(fromMs: number | undefined, after: HoldPlace | undefined) {
  const isBefore = fromMs !== undefined && (!after || after.expiresAtMs <= fromMs);
  if (isBefore) return { expiresAtMs: fromMs, id: lastId };
  return after ?? { expiresAtMs: undefined, id: firstId };
}

const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** A page of holds in order of expiry and id: of one wallet, or of all (in a currency). */
export async function listHolds(
  tx: Tx,
  walletId: string | undefined,
  page: {
    readonly spans: readonly HoldSpan[];
    readonly after: HoldPlace | undefined;
    readonly limit: number;
    readonly currency: string | undefined;
  },
): Promise<OwnedHold[]> {
  const { spans, after, limit, currency } = page;
  const starts = spans.map(({ fromMs }) => startOf(fromMs, after));
  const values = [
    spans.map(({ state }) => state),
    starts.map(({ expiresAtMs }) => timeOf(expiresAtMs, '-infinity')),
    starts.map(({ id }) => id),
    spans.map(({ untilMs }) => timeOf(untilMs, 'infinity')),
    limit,
  ];
  if (walletId !== undefined) {
    return (await tx.query<OwnedRow>(listOfWalletSql, [...values, walletId])).map(toOwned);
  }
  const rows =
    currency === undefined
      ? await tx.query<OwnedRow>(listAllSql, values)
      : await tx.query<OwnedRow>(listInSql, [...values, currency]);
  return rows.map(toOwned);
}
