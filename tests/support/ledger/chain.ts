/**
 * The hash chain of a wallet and the stored codes of the ledger, written from their layout and not
 * from the product's code, so that checks of a ledger do not repeat its mistakes.
 *
 * A digest of fields is SHA-256 over: the byte 1 (version of the layout); and each field as
 * `<length in bytes of its UTF-8>:<field>;`, or as `-;` if it is absent. The genesis hash is such a
 * digest. The hash of a transaction is SHA-256 over: the byte 1; the 32 bytes of the hash before;
 * and the 32 bytes of the digest of its fields.
 *
 * - Fields of the genesis hash: `genesis`, wallet id, user id, currency.
 * - Fields of a transaction: id, seq, operation, signed amount, balance after, contra account,
 *   parent id, source, actor, description, metadata, time in milliseconds since 1970.
 *   Where one of them is not absent, these follow: held, held after, parent used, group id; a
 *   number of 0 is absent.
 * - Metadata is a JSON array of pairs in the order of their keys, and absent where there is none.
 */
import { createHash } from 'node:crypto';

const operationNames: Readonly<Record<number, string>> = {
  1: 'deposit',
  2: 'withdraw',
  3: 'purchase',
  4: 'reversal',
  5: 'cancellation',
  6: 'transfer',
  7: 'hold',
  8: 'capture',
  9: 'release',
  11: 'fee',
};
/** The text of each source, by its code. */
export const sourceNames: Readonly<Record<number, string>> = {
  1: 'grpc',
  2: 'message',
  3: 'system',
};

/** A row of `transactions`, as the driver reads it. */
export type LedgerRow = {
  readonly id: string;
  readonly seq: string;
  readonly operation: number;
  readonly amount: string;
  readonly balance_after: string;
  readonly contra_account: string;
  readonly parent_id: string | null;
  readonly source: number;
  readonly actor: string;
  readonly description: string | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly at_ms: string;
  readonly held?: string | null;
  readonly held_after?: string | null;
  readonly parent_used?: string | null;
  readonly group_id?: string | null;
};

/** The hash that the first transaction of a wallet follows. */
export const expectedGenesis = (walletId: string, userId: string, currency: string): string =>
  digest(['genesis', walletId, userId, currency]);

/** The hash of a row that follows a hash. */
export const expectedHash = (previous: string, row: LedgerRow): string =>
  link(
    previous,
    digest([
      row.id,
      row.seq,
      operationNames[row.operation] ?? `unknown operation ${row.operation}`,
      row.amount,
      row.balance_after,
      row.contra_account,
      row.parent_id,
      sourceNames[row.source] ?? `unknown source ${row.source}`,
      row.actor,
      row.description,
      metadataText(row.metadata ?? {}),
      row.at_ms,
      ...restOf(row),
    ]),
  );

function restOf(row: LedgerRow): readonly (string | null)[] {
  const { held = null, held_after = null, parent_used = null, group_id = null } = row;
  const rest = [held, held_after, parent_used, group_id];
  return rest.every((field) => field === null) ? [] : rest;
}

function metadataText(metadata: Readonly<Record<string, string>>): string | null {
  const pairs = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  return pairs.length === 0 ? null : JSON.stringify(pairs);
}

function digest(fields: readonly (string | null)[]): string {
  const text = fields.map((field) =>
    field === null ? '-;' : `${Buffer.byteLength(field)}:${field};`,
  );
  return createHash('sha256').update(Buffer.of(1)).update(text.join('')).digest('hex');
}

function link(previous: string, content: string): string {
  const hash = createHash('sha256').update(Buffer.of(1)).update(previous, 'hex');
  return hash.update(content, 'hex').digest('hex');
}
