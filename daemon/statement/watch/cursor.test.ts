import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { currencyCodes } from '../../../core/currencies.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { decodeCursor, encodeCursor, maxCursorLength, type WatchScope } from './cursor.ts';
import type { Position } from './positions.ts';

const userOf = (n: number): string =>
  `b51a4c0e-6a63-4f0c-b4a4-0b5d5f7f1c${String(n).padStart(2, '0')}`;
const [ana, bia] = [userOf(1), userOf(2)];
const ofAna: WatchScope = { userIds: [ana], onlyWalletId: undefined };

const at = (userId: string, currency: string, seq: bigint, hash = 'ab'.repeat(32)): Position => ({
  ...{ walletId: walletIdOf(userId, currency), userId, currency },
  ...{ seq, hash, isConfirmed: true },
});

const refusalOf = (scope: WatchScope, text: string) => {
  const decoded = decodeCursor(scope, text);
  return decoded.ok
    ? 'accepted'
    : `${decoded.rejection.reason} ${decoded.rejection.metadata['field']}`;
};
/** A cursor of Ana's wallet with a right digest, made without the encoder. */
function forge(change: {
  readonly version?: number;
  readonly user?: number;
  readonly currency?: string;
  readonly seq?: bigint;
  readonly times?: number;
}): string {
  const { version = 1, user = 0, currency = 'BRL', seq = 7n, times = 1 } = change;
  const entry = Buffer.alloc(20);
  entry.writeUInt8(user, 0);
  entry.write(currency, 1, 'latin1');
  entry.writeBigInt64BE(seq, 4);
  const entries = Buffer.concat(Array.from({ length: times }, () => entry));
  const digest = createHash('sha256').update(`${ana},,`).update(entries).digest().subarray(0, 8);
  return Buffer.concat([Buffer.from([version]), digest, entries]).toString('base64url');
}

const refused = 'INVALID_ARGUMENT cursor';

describe('cursor', () => {
  it('a cursor gives back wallets, seqs and the starts of hashes, to be confirmed', () => {
    const scope = { userIds: [ana, bia], onlyWalletId: undefined };
    const positions = [at(ana, 'BRL', 7n), at(bia, 'EUR', 2n ** 53n - 1n), at(bia, 'JPY', 0n, '')];
    const decoded = decodeCursor(scope, encodeCursor(scope, positions));
    const expected = positions.map((position) => ({
      ...position,
      hash: position.seq === 0n ? '0'.repeat(16) : 'ab'.repeat(8),
      isConfirmed: false,
    }));
    expect(decoded).toEqual({ ok: true, value: expected });
  });

  it('an empty cursor is none, and a cursor of no wallet has no position', () => {
    expect(decodeCursor(ofAna, '')).toEqual({ ok: true, value: undefined });
    expect(decodeCursor(ofAna, encodeCursor(ofAna, []))).toEqual({ ok: true, value: [] });
  });

  it('a cursor of 50 wallets of 50 users is shorter than the limit, and one of 51 is refused', () => {
    const userIds = Array.from({ length: 50 }, (_, n) => userOf(n));
    const scope = { userIds, onlyWalletId: undefined };
    const positions = userIds.map((id) => at(id, 'BRL', 2n ** 52n));
    const text = encodeCursor(scope, positions);
    expect(text.length).toBeLessThanOrEqual(1_346);
    expect(text.length).toBeLessThan(maxCursorLength);
    expect(decodeCursor(scope, text)).toMatchObject({ ok: true, value: { length: 50 } });
    expect(refusalOf(scope, encodeCursor(scope, [...positions, at(userOf(0), 'EUR', 1n)]))).toBe(
      refused,
    );
  });

  it('a cursor for other users, or for an API key of another wallet, is refused', () => {
    const text = encodeCursor(ofAna, [at(ana, 'BRL', 7n)]);
    const scopes: WatchScope[] = [
      { userIds: [bia], onlyWalletId: undefined },
      { userIds: [ana, bia], onlyWalletId: undefined },
      { userIds: [ana], onlyWalletId: walletIdOf(ana, 'BRL') },
    ];
    for (const scope of scopes) expect(refusalOf(scope, text)).toBe(refused);
    expect(refusalOf(ofAna, text)).toBe('accepted');
  });

  it('a forged cursor names no wallet but those of the users in the request', () => {
    for (const user of [1, 2, 50, 255]) expect(refusalOf(ofAna, forge({ user }))).toBe(refused);
    expect(refusalOf(ofAna, forge({}))).toBe('accepted');
    const keyOfBrl = { userIds: [ana], onlyWalletId: walletIdOf(ana, 'BRL') };
    expect(refusalOf(keyOfBrl, encodeCursor(keyOfBrl, [at(ana, 'EUR', 7n)]))).toBe(refused);
    expect(refusalOf(keyOfBrl, encodeCursor(keyOfBrl, [at(ana, 'BRL', 7n)]))).toBe('accepted');
  });

  it('a forged cursor with another version, an unknown currency or a bad seq is refused', () => {
    const hostile = [
      ...[forge({ version: 0 }), forge({ version: 2 }), forge({ version: 255 })],
      ...[forge({ currency: 'XXX' }), forge({ currency: 'brl' }), forge({ currency: '\0\0\0' })],
      ...[forge({ seq: -1n }), forge({ seq: -(2n ** 63n) }), forge({ times: 2 })],
      ...[forge({ seq: 2n ** 53n }), forge({ seq: 2n ** 63n - 1n })],
    ];
    for (const each of hostile) expect([each, refusalOf(ofAna, each)]).toEqual([each, refused]);
  });

  it('a cursor that was changed, cut, extended or spelt otherwise is refused', () => {
    const text = encodeCursor(ofAna, [at(ana, 'BRL', 7n), at(ana, 'EUR', 1n)]);
    const bytes = Buffer.from(text, 'base64url');
    const hostile = [
      ...[`${text}=`, ` ${text}`, `${text}A`, `${text}!!`, text.slice(0, -1), text.slice(0, 12)],
      ...['A', '====', '\u0000', 'null', '{}', '日本', 'A'.repeat(4_096)],
      bytes.subarray(0, 29).toString('base64url'),
      Buffer.concat([bytes, bytes.subarray(29)]).toString('base64url'),
    ];
    for (let position = 0; position < bytes.length; position += 1) {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(position) ^ 1, position);
      hostile.push(copy.toString('base64url'));
    }
    for (const each of hostile) expect([each, refusalOf(ofAna, each)]).toEqual([each, refused]);
  });

  it('every currency survives a cursor', () => {
    for (let start = 0; start < currencyCodes.length; start += 50) {
      const positions = currencyCodes.slice(start, start + 50).map((code) => at(ana, code, 1n));
      const decoded = decodeCursor(ofAna, encodeCursor(ofAna, positions));
      const ids = decoded.ok ? decoded.value?.map(({ walletId }) => walletId) : [];
      expect(ids).toEqual(positions.map(({ walletId }) => walletId));
    }
  });
});
