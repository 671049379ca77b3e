import { hash } from 'node:crypto';

import { createScratch, maxBytesPerUnit } from './bytes.ts';
import type { Operation } from './operations.ts';

/** Version of the layout below; the first byte that is hashed. */
const chainVersion = 1;

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

/** What the chain of a wallet starts from: SHA-256 (64 hex digits) over who the wallet belongs to. */
export function genesisHash(walletId: string, userId: string, currency: string): string {
  return sha256('', ascii('genesis') + ascii(walletId) + ascii(userId) + ascii(currency));
}

/**
 * SHA-256 (64 hex digits) over the version, the 32 bytes of the hash before, and each field behind
 * its length in bytes, so that no two different transactions have the same bytes. An absent field
 * differs from an empty one.
 */
export function chainHash(previous: string, fields: ChainedFields): string {
  const text =
    ascii(fields.id) +
    ascii(fields.seq.toString()) +
    ascii(fields.operation) +
    ascii(fields.amountMinor.toString()) +
    ascii(fields.balanceAfterMinor.toString()) +
    prefixed(fields.contraAccount) +
    prefixed(fields.parentId) +
    prefixed(fields.source) +
    prefixed(fields.actor) +
    prefixed(fields.description) +
    prefixed(canonicalMetadata(fields.metadata)) +
    ascii(fields.occurredAtMs.toString());
  return sha256(previous, text);
}

/** Keys in code-unit order, so that the same metadata has one text only; undefined if empty. */
export function canonicalMetadata(metadata: Readonly<Record<string, string>>): string | undefined {
  const keys = Object.keys(metadata).sort();
  if (keys.length === 0) return undefined;
  return JSON.stringify(keys.map((key) => [key, metadata[key]]));
}

/** What has one byte for each character: its length needs no counting. */
const ascii = (field: string): string => `${field.length}:${field};`;

const prefixed = (field: string | undefined): string =>
  field === undefined ? '-;' : `${Buffer.byteLength(field)}:${field};`;

const scratch = createScratch(32 * 1024);

function sha256(previous: string, text: string): string {
  const bytes = scratch.take(1 + previous.length / 2 + maxBytesPerUnit * text.length);
  bytes[0] = chainVersion;
  const start = 1 + bytes.write(previous, 1, 'hex');
  return hash('sha256', scratch.upTo(bytes, start + bytes.write(text, start)), 'hex');
}
