import { isReason, type Rejection } from '../../../core/reasons.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import type { Command, States } from '../domain.ts';

/** A message that was refused for a business reason. */
export type Refusal = { readonly command: Command; readonly rejection: Rejection };

const insertSql = sql(
  'inbox_insert',
  `INSERT INTO inbox (transaction_id, wallet_id, message_id, reason, message, metadata, rejected_at)
   SELECT *, clock_timestamp() FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[],
     $5::text[], $6::json[])
   ON CONFLICT DO NOTHING RETURNING transaction_id`,
);

/** Keeps what was answered; gives the ids that were new. */
export async function insertRefusals(
  tx: Tx,
  refusals: readonly Refusal[],
): Promise<ReadonlySet<string>> {
  if (refusals.length === 0) return new Set();
  const rows = await tx.query<{ transaction_id: string }>(insertSql, [
    refusals.map((r) => r.command.transactionId),
    refusals.map((r) => r.command.wallet.id),
    refusals.map((r) => r.command.key),
    refusals.map((r) => r.rejection.reason),
    refusals.map((r) => r.rejection.message),
    refusals.map((r) => JSON.stringify(r.rejection.metadata)),
  ]);
  return new Set(rows.map((row) => row.transaction_id));
}

const readSql = sql(
  'inbox_read',
  `SELECT transaction_id, reason, message, metadata FROM inbox
   WHERE transaction_id = ANY($1::uuid[])`,
);

/** What these messages were answered before. */
export async function readRefusals(
  tx: Tx,
  commands: readonly Command[],
): Promise<States['refused']> {
  if (commands.length === 0) return new Map();
  type Row = {
    transaction_id: string;
    reason: string;
    message: string;
    metadata: Readonly<Record<string, string>>;
  };
  const rows = await tx.query<Row>(readSql, [commands.map((c) => c.transactionId)]);
  return new Map(
    rows.map(({ transaction_id, reason, message, metadata }) => {
      if (!isReason(reason)) throw new Error(`inbox ${transaction_id} has reason ${reason}`);
      return [transaction_id, { reason, message, metadata }];
    }),
  );
}

const requireNewSql = sql(
  'inbox_require_new',
  `SELECT 1 / (NOT EXISTS (SELECT FROM inbox WHERE transaction_id = ANY($1::uuid[])))::int`,
);

/**
 * Fails by a division by zero (22012) if one of these messages was refused before: then nothing can
 * be committed.
 */
export async function requireNew(tx: Tx, commands: readonly Command[]): Promise<void> {
  if (commands.length === 0) return;
  await tx.execute(requireNewSql, [commands.map((c) => c.transactionId)]);
}
