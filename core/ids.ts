import { hash } from 'node:crypto';

import { createScratch, maxBytesPerUnit, toUuid, writeText, writeUuid } from './bytes.ts';
import { canonicalText } from './text.ts';

/** Namespace of wallet ids: UUIDv5 of the DNS namespace and `wallet.digital-wallet`. */
const walletNamespace = '0fce9ee4-c2ea-5886-b403-99d8567e324d';

/** Who names a transaction: keys of one class can never meet those of another. */
export type CallerClass = 'customer' | 'staff' | 'message' | 'system';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True for a UUID in its canonical form: lower case, with hyphens. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/**
 * The canonical form of a UUID that people or programs of others have written: RFC 9562 reads upper
 * case like lower case. Undefined for a text that is no UUID.
 */
export function canonicalUuid(text: string): string | undefined {
  if (isUuid(text)) return text;
  const id = canonicalId(text);
  return isUuid(id) ? id : undefined;
}

/** An id as it was typed or pasted, in its canonical form if it is one; otherwise still none. */
export const canonicalId = (text: string): string => canonicalText(text).toLowerCase();

const lowestId = '00000000-0000-0000-0000-000000000000';
const highestId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** So many characters of an id find few others, however many ids there are. */
export const minIdPrefixLength = 8;

/** The ids from `first` to `last` are those that begin with a prefix. */
export type IdRange = { readonly first: string; readonly last: string };

/**
 * The ids that begin with `prefix`, 8 or more characters of a UUID in its canonical form. Undefined
 * for any other text.
 */
export function idRangeOf(prefix: string): IdRange | undefined {
  const first = prefix + lowestId.slice(prefix.length);
  const last = prefix + highestId.slice(prefix.length);
  const isPrefix = prefix.length >= minIdPrefixLength && isUuid(first) && isUuid(last);
  return isPrefix ? { first, last } : undefined;
}

const scratch = createScratch(4 * 1024);
const namespaceBytes = 16;

/**
 * RFC 9562 UUIDv5: the first 16 bytes of SHA-1 over the namespace's 16 bytes and the name's UTF-8,
 * with the version in the upper half of byte 6 and the variant in the two highest bits of byte 8.
 */
export function uuidV5(namespace: string, name: string): string {
  const bytes = scratch.take(namespaceBytes + name.length * maxBytesPerUnit);
  writeUuid(bytes, namespace);
  const end = writeText(bytes, name, namespaceBytes);
  const digest = hash('sha1', scratch.upTo(bytes, end), 'binary');
  return toUuid((i) => {
    const byte = digest.charCodeAt(i);
    if (i === 6) return (byte & 0x0f) | 0x50;
    return i === 8 ? (byte & 0x3f) | 0x80 : byte;
  });
}

/** The wallet of a user in a currency: known without a lookup. */
export function walletIdOf(userId: string, currency: string): string {
  return uuidV5(walletNamespace, `${userId}:${currency}`);
}

/** The transaction that a caller names by an idempotency key on a wallet. */
export function transactionIdOf(walletId: string, callerClass: CallerClass, key: string): string {
  return uuidV5(walletId, `${callerClass}:${key}`);
}
