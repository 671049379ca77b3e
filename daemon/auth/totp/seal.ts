import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

export type Sealed = { readonly keyId: Buffer; readonly bytes: Buffer };

/** Encrypts the secrets that the database keeps. */
export type Sealer = {
  /** The id of the key that seals. */
  readonly keyId: Buffer;
  seal(userId: string, secret: Buffer): Sealed;
  /** Undefined if no key here opens it, or if it is another user's. */
  open(userId: string, sealed: Sealed): Buffer | undefined;
};

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * AES-256-GCM with the user's id as associated data, so that a row copied to another user opens
 * nothing. Bytes are nonce, tag, ciphertext.
 *
 * @param keys 32 bytes each: the one that seals, then others that only open
 */
export function createSealer(keys: readonly [Buffer, ...Buffer[]]): Sealer {
  const byId = new Map(keys.map((key) => [idOf(key).toString('hex'), key]));
  const [current] = keys;
  const keyId = idOf(current);
  return {
    keyId,
    seal: (userId, secret) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, current, nonce).setAAD(associatedDataOf(userId));
      const text = Buffer.concat([cipher.update(secret), cipher.final()]);
      return { keyId, bytes: Buffer.concat([nonce, cipher.getAuthTag(), text]) };
    },
    open: (userId, { keyId: sealedBy, bytes }) => {
      const key = byId.get(sealedBy.toString('hex'));
      if (!key || bytes.length < nonceBytes + tagBytes) return undefined;
      const nonce = bytes.subarray(0, nonceBytes);
      const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
        .setAAD(associatedDataOf(userId))
        .setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
      try {
        const text = decipher.update(bytes.subarray(nonceBytes + tagBytes));
        return Buffer.concat([text, decipher.final()]);
      } catch {
        return undefined;
      }
    },
  };
}

const associatedDataOf = (userId: string): Buffer => Buffer.from(`totp secret of ${userId}`);

/** Says which key sealed, and nothing of the key itself. */
const idOf = (key: Buffer): Buffer =>
  createHash('sha256').update('id of a totp key').update(key).digest().subarray(0, 8);
