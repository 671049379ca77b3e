import { randomUUID } from 'node:crypto';

import { sql, type Db } from './db.ts';

/** The right to send, by the database's clock; renewed a few times within its life. */
export type Lease = {
  readonly holder: string;
  /** The fence, or undefined while another holds it. */
  hold(): Promise<bigint | undefined>;
  /** Somebody else has it. */
  forget(): void;
  release(): Promise<void>;
};

/** The database's clock decides; another daemon takes over at most this long after the last renewal. */
const leaseMs = 4_000;
export const renewMs = leaseMs / 4;

const leaseSql = sql(
  'outbox_lease',
  `INSERT INTO relay_leases AS l (name, holder, token, expires_at)
   VALUES ('outbox', $1, 1, clock_timestamp() + $2 * interval '1 millisecond')
   ON CONFLICT (name) DO UPDATE
   SET holder = $1,
       token = CASE WHEN l.holder = $1 THEN l.token ELSE l.token + 1 END,
       expires_at = excluded.expires_at
   WHERE l.holder = $1 OR l.expires_at < clock_timestamp()
   RETURNING token`,
);

const giveUpSql = sql(
  'outbox_lease_end',
  `UPDATE relay_leases SET expires_at = '-infinity' WHERE name = 'outbox' AND holder = $1`,
);

export function createLease(db: Db): Lease {
  const holder = randomUUID();
  let held: { readonly token: bigint; readonly renewedAt: number } | undefined;
  return {
    holder,
    hold: async () => {
      const startedAt = performance.now();
      if (held && startedAt - held.renewedAt < renewMs) return held.token;
      const rows = await db.tx((tx) => tx.query<{ token: bigint }>(leaseSql, [holder, leaseMs]));
      const token = rows[0]?.token;
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
