/** The longest texts that the ledger takes, in UTF-16 code units. */
export const textLimits = { idempotencyKey: 255, description: 500, merchant: 100 } as const;

/**
 * To normalise text takes time with the square of its combining marks: a longer one stays as it is.
 * Every limit above refuses it.
 */
const maxNormalized = 1_024;

/** Most texts are in their canonical form already. */
const isPlainAscii = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * The one form of a text that people and programs write in several: NFC, without white space around
 * it, line ends as LF. Every text that names something or is stored goes through here at its entry:
 * idempotency keys, merchants, descriptions, e-mail addresses, ids, cells of batches.
 */
export function canonicalText(text: string): string {
  if (isPlainAscii.test(text)) return text;
  const trimmed = text.replace(/\r\n?/g, '\n').trim();
  return trimmed.length > maxNormalized ? trimmed : trimmed.normalize('NFC');
}

/**
 * Why `value` cannot be stored as text, or undefined if it can: Postgres takes no NUL, and a lone
 * surrogate has no UTF-8. The length counts UTF-16 code units.
 */
export function findTextProblem(value: string, maxLength: number): string | undefined {
  if (value.length > maxLength) return `must have at most ${maxLength} characters`;
  if (value.includes('\0')) return 'must not contain a NUL character';
  if (!value.isWellFormed()) return 'must be valid Unicode';
  return undefined;
}

/** Stands for bytes that could not be decoded, so that all such texts look the same. */
const replacement = '\ufffd';

/**
 * Why `secret`, a password or a token, may be the same text as another one, or undefined if it is
 * not: where bytes were not UTF-8, any bad byte would match any other.
 */
export function findSecretProblem(secret: string): string | undefined {
  if (secret.includes(replacement) || !secret.isWellFormed()) return 'is not valid UTF-8';
  if (secret.includes('\0')) return 'has a NUL character: it may be UTF-16';
  return undefined;
}

/** UTF-8 as a text, without a byte order mark; undefined where the bytes are none. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Text from others made safe for a terminal: ESC and other control characters (C0, DEL, C1) and
 * the bidirectional overrides, which could rewrite what the reader sees, are removed.
 */
export function stripControls(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    '',
  );
}
