import { createHash } from 'node:crypto';

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

/** What the chain of a wallet starts from: SHA-256 (32 bytes) over who the wallet belongs to. */
export function genesisHash(walletId: string, userId: string, currency: string): Buffer {
  return hashFields(undefined, ['genesis', walletId, userId, currency]);
}

/**
 * SHA-256 (32 bytes) over the version, the hash before, and each field behind its length, so that
 * no two different transactions have the same bytes. An absent field differs from an empty one.
 */
export function chainHash(previous: Buffer, fields: ChainedFields): Buffer {
  return hashFields(previous, [
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
  const keys = Object.keys(metadata).sort();
  if (keys.length === 0) return undefined;
  return JSON.stringify(keys.map((key) => [key, metadata[key]]));
}

function hashFields(previous: Buffer | undefined, fields: readonly (string | undefined)[]): Buffer {
  const text = fields
    .map((field) => (field === undefined ? '-;' : `${Buffer.byteLength(field)}:${field};`))
    .join('');
  const hash = createHash('sha256').update(Buffer.of(chainVersion));
  if (previous) hash.update(previous);
  return hash.update(text, 'utf8').digest();
}
