import type { RowPage } from '../../../core/ledger-check/index.ts';
import { sourceNames } from './chain.ts';
import type { Entry, Line, Wallet } from './ledger-rows.ts';

const epochMicros = 946_684_800_000_000n;

const int2 = (value: number): Buffer => Buffer.of((value >> 8) & 0xff, value & 0xff);
const int4 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int8 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};
const uuid = (text: string): Buffer => Buffer.from(text.replaceAll('-', ''), 'hex');
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const orNull = <T>(value: T | null, write: (value: T) => Buffer): Buffer | undefined =>
  value === null ? undefined : write(value);
const text = (value: string): Buffer => Buffer.from(value);

/** A row as Postgres' COPY writes it in its binary format. */
function toRow(fields: readonly (Buffer | undefined)[]): Buffer {
  const parts: Buffer[] = [int2(fields.length)];
  for (const field of fields) {
    const length = Buffer.alloc(4);
    length.writeInt32BE(field?.length ?? -1);
    parts.push(length);
    if (field) parts.push(field);
  }
  return Buffer.concat(parts);
}

const shared = (row: Omit<Entry, 'source'> & { source: string }) => [
  uuid(row.id),
  int2(row.operation),
  int8(row.amount),
  int8(row.balance_after),
  text(row.contra_account),
  orNull(row.parent_id, uuid),
  text(row.source),
  text(row.actor),
  orNull(row.description, text),
  orNull(row.metadata, text),
  int8(row.micros - epochMicros),
  orNull(row.held, int8),
  orNull(row.held_after, int8),
  orNull(row.parent_used, int8),
  orNull(row.group_id, uuid),
  hex(row.hash),
];

export const toEntryRow = (entry: Entry): Buffer =>
  toRow([
    ...[uuid(entry.wallet_id), int8(BigInt(entry.seq))],
    ...shared({ ...entry, source: sourceNames[entry.source] ?? `source ${entry.source}` }),
    ...[orNull(entry.parent_amount, int8), int8(entry.debited_after)],
  ]);

export const toLineRow = (line: Line): Buffer =>
  toRow([
    ...[uuid(line.wallet_id), int8(BigInt(line.seq)), hex(line.previous_hash)],
    ...[uuid(line.user_id), text(line.currency), ...shared(line)],
  ]);

export const toWalletRow = (wallet: Wallet): Buffer =>
  toRow([
    ...[uuid(wallet.id), uuid(wallet.user_id), text(wallet.currency), int2(wallet.exponent)],
    ...[int8(wallet.balance), int8(BigInt(wallet.seq)), int8(wallet.last_micros - epochMicros)],
    ...[hex(wallet.last_hash), int8(wallet.debited), int8(wallet.held), int8(wallet.floor)],
    ...[text(wallet.status), int8(wallet.overdraft_limit), int4(wallet.terms_no)],
    orNull(wallet.next_expiry_micros, (micros) => int8(micros - epochMicros)),
  ]);

/** Rows in pages of `size`. */
export function toPages(rows: readonly Buffer[], size: number): RowPage[] {
  const pages: RowPage[] = [];
  for (let at = 0; at <= rows.length; at += size) {
    const some = rows.slice(at, at + size);
    const ends: number[] = [];
    for (const row of some) ends.push((ends.at(-1) ?? 0) + row.length);
    const starts = [0, ...ends].slice(0, some.length);
    const isLast = at + size > rows.length;
    pages.push({ bytes: Buffer.concat(some), starts, ends, rows: some.length, isLast });
  }
  return pages;
}
