import { createHash } from 'node:crypto';

/** Namespace of wallet ids: UUIDv5 of the DNS namespace and `wallet.digital-wallet`. */
const walletNamespace = '0fce9ee4-c2ea-5886-b403-99d8567e324d';

/** Who names a transaction: keys of one class can never meet those of another. */
export type CallerClass = 'customer' | 'staff' | 'message';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True for a UUID in its canonical form: lower case, with hyphens. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/** RFC 9562 UUIDv5: SHA-1 over the namespace's 16 bytes and the name's UTF-8. */
export function uuidV5(namespace: string, name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name, 'utf8')
    .digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The wallet of a user in a currency: known without a lookup. */
export function walletIdOf(userId: string, currency: string): string {
  return uuidV5(walletNamespace, `${userId}:${currency}`);
}

/** The transaction that a caller names by an idempotency key on a wallet. */
export function transactionIdOf(walletId: string, callerClass: CallerClass, key: string): string {
  return uuidV5(walletId, `${callerClass}:${key}`);
}
