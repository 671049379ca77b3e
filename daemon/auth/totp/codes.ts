import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

import { canonicalizeCode, formatCode } from '../domain.ts';

const stepMs = 30_000;
const digits = 6;
/** Codes of the step before and of the step after are taken too: clocks differ. */
export const skewSteps = 1;

/** RFC 4226 asks for 128 bits and recommends 160. */
export const secretBytes = 20;
export const recoveryCodeCount = 10;
/** 120 bits: too many to be guessed, so that one hash is enough to store them. */
export const recoveryCodeBytes = 15;

const base32Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648, without padding: the length is a multiple of 5 bytes. */
export function encodeBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((five) => base32Alphabet[parseInt(five, 2)]).join('');
}

/** The number of the time step (RFC 6238, T0 = 0) at a time in milliseconds since the epoch. */
export const stepAt = (nowMs: number): number => Math.floor(nowMs / stepMs);

/** The code of a time step: HOTP (RFC 4226) with HMAC-SHA-1 and 6 digits. */
export function codeOfStep(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = mac.readUInt8(mac.length - 1) & 0xf;
  const number = (mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** digits;
  return String(number).padStart(digits, '0');
}

/**
 * The time step whose code this is, within the skew and after `lastStep`; undefined if there is
 * none. All steps are compared, in constant time.
 */
export function findStep(
  secret: Buffer,
  code: string,
  nowMs: number,
  lastStep: number | undefined,
): number | undefined {
  const now = stepAt(nowMs);
  let found: number | undefined;
  for (let step = Math.max(0, now - skewSteps); step <= now + skewSteps; step += 1) {
    const isEqual = timingSafeEqual(Buffer.from(codeOfStep(secret, step)), Buffer.from(code));
    if (isEqual && (lastStep === undefined || step > lastStep)) found = step;
  }
  return found;
}

export type Code =
  | { readonly kind: 'totp'; readonly digits: string }
  | { readonly kind: 'recovery'; readonly hash: Buffer };

/** A code as people type it: six digits, or a recovery code; undefined if it can be neither. */
export function readCode(text: string): Code | undefined {
  if (text.length > 100) return undefined;
  const compact = text.replace(/[\s-]/g, '');
  if (/^[0-9]{6}$/.test(compact)) return { kind: 'totp', digits: compact };
  const recovery = canonicalizeCode(text);
  return recovery === undefined ? undefined : { kind: 'recovery', hash: hashRecovery(recovery) };
}

const hashRecovery = (code: string): Buffer => createHash('sha256').update(code).digest();

/** A recovery code of so many random bytes: the text that is shown, and the hash that is stored. */
export function createRecoveryCode(bytes: Uint8Array): {
  readonly text: string;
  readonly hash: Buffer;
} {
  const text = formatCode(bytes);
  return { text, hash: hashRecovery(text) };
}

const issuer = 'Digital Wallet';

/**
 * What authenticator apps read: https://github.com/google/google-authenticator/wiki/Key-Uri-Format
 */
export function toUri(email: string, secret: Buffer): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(email)}`;
  const parameters = [
    `secret=${encodeBase32(secret)}`,
    `issuer=${encodeURIComponent(issuer)}`,
    `algorithm=SHA1&digits=${digits}&period=${stepMs / 1000}`,
  ];
  return `otpauth://totp/${label}?${parameters.join('&')}`;
}
