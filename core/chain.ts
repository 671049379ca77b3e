import { hash } from 'node:crypto';

import { createScratch, maxBytesPerUnit, writeHex, writeText } from './bytes.ts';
import type { Operation } from './operations.ts';

/** Version of the layout below; the first byte that is hashed. */
export const chainVersion = 1;

/** What a transaction's hash covers, besides the hash before it. */
export type ChainedFields = {
  readonly id: string;
  readonly seq: bigint;
  readonly operation: Operation;
  /** Signed: above 0 credits the wallet, below 0 debits it. */
  readonly amountMinor: bigint;
  readonly balanceAfterMinor: bigint;
  readonly contraAccount: string;
  readonly parentId: string | undefined;
  readonly source: string;
  readonly actor: string;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly occurredAtMs: number;
};

/**
 * What the chain of a wallet starts from: SHA-256 (64 hex digits) over who the wallet belongs to.
 */
export function genesisHash(walletId: string, userId: string, currency: string): string {
  return sha256('', ['genesis', walletId, userId, currency]);
}

/**
 * SHA-256 (64 hex digits) over the version, the 32 bytes of the hash before, and each field behind
 * its length in bytes, so that no two different transactions have the same bytes. An absent field
 * differs from an empty one. `statement-format/rows.ts` writes the same bytes from rows.
 */
export function chainHash(previous: string, fields: ChainedFields): string {
  return sha256(previous, [
    fields.id,
    fields.seq.toString(),
    fields.operation,
    fields.amountMinor.toString(),
    fields.balanceAfterMinor.toString(),
    fields.contraAccount,
    fields.parentId,
    fields.source,
    fields.actor,
    fields.description,
    canonicalMetadata(fields.metadata),
    fields.occurredAtMs.toString(),
  ]);
}

/** Keys in code-unit order, so that the same metadata has one text only; undefined if empty. */
export function canonicalMetadata(metadata: Readonly<Record<string, string>>): string | undefined {
  for (const _key in metadata) {
    const keys = Object.keys(metadata).sort();
    return JSON.stringify(keys.map((key) => [key, metadata[key]]));
  }
  return undefined;
}

/** What is no JSON object was changed by hand: it cannot match the hash. */
export function parseMetadata(text: string): Readonly<Record<string, string>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, string>>;
  } catch {
    return { text };
  }
}

const scratch = createScratch(32 * 1024);
/** A field's length in digits, and what is around it. */
const maxBytesAround = 12;

function sha256(previous: string, fields: readonly (string | undefined)[]): string {
  const start = 1 + previous.length / 2;
  let most = start;
  for (const field of fields) most += maxBytesAround + maxBytesPerUnit * (field?.length ?? 0);
  const bytes = scratch.take(most);
  bytes[0] = chainVersion;
  writeHex(bytes, previous, 1);
  let end = start;
  for (const field of fields) end = writeField(bytes, field, end);
  return hash('sha256', scratch.upTo(bytes, end), 'hex');
}

const prefixes = Array.from({ length: 256 }, (_, length) => `${length}:`);
const prefixOf = (length: number): string => prefixes[length] ?? `${length}:`;

/** `<length in bytes>:<field>;`, or `-;` for none. Where it ends. */
function writeField(bytes: Buffer, field: string | undefined, start: number): number {
  if (field === undefined) return writeText(bytes, '-;', start);
  const at = writeText(bytes, prefixOf(field.length), start);
  const end = writeText(bytes, field, at);
  if (end - at === field.length) return writeText(bytes, ';', end);
  // It has more bytes than characters: its length was another.
  const again = writeText(bytes, prefixOf(end - at), start);
  return writeText(bytes, ';', writeText(bytes, field, again));
}
