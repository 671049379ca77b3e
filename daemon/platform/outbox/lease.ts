import { randomUUID } from 'node:crypto';

import { sql, type Db } from '../db/db.ts';
import type { Log } from '../log.ts';

/** The right to send, by the database's clock; renewed a few times within its life. */
export type Lease = {
  readonly holder: string;
  /** The fencing token, or undefined while another holds it. */
  hold(): Promise<bigint | undefined>;
  /** Another daemon holds it. */
  forget(): void;
  release(): Promise<void>;
};

/**
 * The database's clock decides; another daemon takes over at most this long after the last renewal.
 */
const leaseMs = 4_000;
const renewMs = leaseMs / 4;

// No lease is longer than its full length: one that ends later was given while the clock was ahead.
const leaseSql = sql(
  'outbox_lease',
  `WITH before AS (
     SELECT expires_at > clock_timestamp() + $2 * interval '1 millisecond' AS is_ahead
     FROM relay_leases WHERE name = 'outbox')
   INSERT INTO relay_leases AS l (name, holder, fencing_token, expires_at)
   VALUES ('outbox', $1, 1, clock_timestamp() + $2 * interval '1 millisecond')
   ON CONFLICT (name) DO UPDATE
   SET holder = $1,
       fencing_token =
         CASE WHEN l.holder = $1 THEN l.fencing_token ELSE l.fencing_token + 1 END,
       expires_at = excluded.expires_at
   WHERE l.holder = $1 OR l.expires_at < clock_timestamp()
     OR l.expires_at > clock_timestamp() + $2 * interval '1 millisecond'
   RETURNING fencing_token, COALESCE((SELECT is_ahead FROM before), false) AS is_ahead`,
);

const giveUpSql = sql(
  'outbox_lease_end',
  `UPDATE relay_leases SET expires_at = '-infinity' WHERE name = 'outbox' AND holder = $1`,
);

export function createLease(db: Db, log: Log): Lease {
  const holder = randomUUID();
  let held: { readonly token: bigint; readonly renewedAt: number } | undefined;
  return {
    holder,
    hold: async () => {
      const startedAt = performance.now();
      if (held && startedAt - held.renewedAt < renewMs) return held.token;
      type Row = { fencing_token: bigint; is_ahead: boolean };
      const [row] = await db.tx((tx) => tx.query<Row>(leaseSql, [holder, leaseMs]));
      if (row?.is_ahead) {
        log.warn("the relay's lease ended later than it may: the database's clock stepped back");
      }
      const token = row?.fencing_token;
      held = token === undefined ? undefined : { token, renewedAt: startedAt };
      return token;
    },
    forget: () => {
      held = undefined;
    },
    release: async () => {
      await db.tx((tx) => tx.execute(giveUpSql, [holder])).catch(() => undefined);
    },
  };
}

/** Renews the lease for as long as the work takes. */
export async function whileRenewed(lease: Lease, work: () => Promise<void>): Promise<void> {
  const renewal = setInterval(() => void lease.hold().catch(() => undefined), renewMs);
  try {
    await work();
  } finally {
    clearInterval(renewal);
  }
}
