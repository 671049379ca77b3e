import { sql, type Tx } from '../platform/db.ts';

type SignUp = {
  readonly email: string;
  readonly passwordHash: string;
  readonly codeHash: Buffer;
  readonly lifeMs: number;
};

const keepSql = sql(
  'sign_up_keep',
  `INSERT INTO sign_ups AS s (email, password_hash, code_hash, expires_at)
   SELECT $1::text, $2::text, $3::bytea, clock_timestamp() + $4::integer * interval '1 millisecond'
   WHERE NOT EXISTS (SELECT 1 FROM users WHERE email = $1::text)
   ON CONFLICT (email) DO UPDATE SET password_hash = EXCLUDED.password_hash,
     code_hash = EXCLUDED.code_hash, expires_at = EXCLUDED.expires_at`,
);

/** Keeps a sign-up until its code comes, in place of an earlier one; false if there is an account. */
export async function keepSignUp(tx: Tx, signUp: SignUp): Promise<boolean> {
  const { email, passwordHash, codeHash, lifeMs } = signUp;
  return (await tx.execute(keepSql, [email, passwordHash, codeHash, lifeMs])) > 0;
}

const takeSql = sql(
  'sign_up_take',
  `DELETE FROM sign_ups WHERE code_hash = $1 AND expires_at > clock_timestamp()
   RETURNING email, password_hash`,
);

/** What waits for this code, which is used up by that. */
export async function takeSignUp(
  tx: Tx,
  codeHash: Buffer,
): Promise<Pick<SignUp, 'email' | 'passwordHash'> | undefined> {
  const [row] = await tx.query<{ email: string; password_hash: string }>(takeSql, [codeHash]);
  return row && { email: row.email, passwordHash: row.password_hash };
}

const pruneSql = sql(
  'sign_up_prune',
  `DELETE FROM sign_ups WHERE email IN (
     -- In a query of its own, since an index cannot follow a clock that goes on.
     SELECT email FROM sign_ups WHERE expires_at < (SELECT clock_timestamp())
     LIMIT 10000 FOR UPDATE SKIP LOCKED)`,
);

/** Forgets whose code was never entered: up to 10,000 rows, and how many it were. */
export async function pruneSignUps(tx: Tx): Promise<number> {
  return tx.execute(pruneSql);
}
