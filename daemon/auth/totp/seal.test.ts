import { randomBytes, randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { createSealer } from './seal.ts';

const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
const secret = randomBytes(20);
const userId = randomUUID();
const before = createSealer([oldKey]);

describe('createSealer', () => {
  it('a sealer opens what it sealed, and what a previous key sealed', () => {
    const sealed = before.seal(userId, secret);
    expect(before.open(userId, sealed)).toEqual(secret);
    expect(createSealer([newKey, oldKey]).open(userId, sealed)).toEqual(secret);
    expect(sealed.bytes.includes(secret)).toBe(false);
  });

  it('a sealer does not open what an unknown key sealed', () => {
    expect(createSealer([newKey]).open(userId, before.seal(userId, secret))).toBeUndefined();
  });

  it('a sealer does not open the secret of another user', () => {
    expect(before.open(randomUUID(), before.seal(userId, secret))).toBeUndefined();
  });

  it('a sealer does not open a secret that was changed or cut', () => {
    const { keyId, bytes } = before.seal(userId, secret);
    for (let i = 0; i < bytes.length; i += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(i) ^ 1, i);
      expect(before.open(userId, { keyId, bytes: changed })).toBeUndefined();
      expect(before.open(userId, { keyId, bytes: bytes.subarray(0, i) })).toBeUndefined();
    }
  });
});
