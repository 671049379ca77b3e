import { hash } from 'node:crypto';

import { createScratch, maxBytesPerUnit, writeUuid } from './bytes.ts';

/** Namespace of wallet ids: UUIDv5 of the DNS namespace and `wallet.digital-wallet`. */
const walletNamespace = '0fce9ee4-c2ea-5886-b403-99d8567e324d';

/** Who names a transaction: keys of one class can never meet those of another. */
export type CallerClass = 'customer' | 'staff' | 'message';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True for a UUID in its canonical form: lower case, with hyphens. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

const scratch = createScratch(4 * 1024);
const namespaceBytes = 16;

/** RFC 9562 UUIDv5: SHA-1 over the namespace's 16 bytes and the name's UTF-8. */
export function uuidV5(namespace: string, name: string): string {
  const bytes = scratch.take(namespaceBytes + name.length * maxBytesPerUnit);
  writeUuid(bytes, namespace);
  const end = namespaceBytes + bytes.write(name, namespaceBytes);
  const hex = hash('sha1', scratch.upTo(bytes, end), 'hex');
  // The version, and the variant in the two highest bits of the ninth byte.
  const variant = ((parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** The wallet of a user in a currency: known without a lookup. */
export function walletIdOf(userId: string, currency: string): string {
  return uuidV5(walletNamespace, `${userId}:${currency}`);
}

/** The transaction that a caller names by an idempotency key on a wallet. */
export function transactionIdOf(walletId: string, callerClass: CallerClass, key: string): string {
  return uuidV5(walletId, `${callerClass}:${key}`);
}
