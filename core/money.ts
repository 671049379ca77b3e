import { isExactNumber, maxExactDigits } from './json/number-text.ts';

/**
 * No amount and no balance reaches this many minor units. It leaves room below 2^63
 * (about 9.2 × 10^18), so that sums of a few amounts cannot overflow an int64.
 */
export const amountLimitMinor = 10n ** 18n;

/** What is reserved on a wallet stays below this: its balance and its overdraft cover it. */
export const heldLimitMinor = 2n * amountLimitMinor;

export type ParsedAmount =
  { readonly ok: true; readonly minor: bigint } | { readonly ok: false; readonly problem: string };

/**
 * Reads a decimal string strictly: digits, then at most `exponent` decimals after a point. No
 * sign, exponent, separator, blank or leading zero. 0 and anything at or past the limit is
 * refused too. `problem` completes the sentence "… is not a valid amount: …".
 */
export function parseAmount(
  text: string,
  exponent: number,
  limitMinor = amountLimitMinor,
): ParsedAmount {
  const fail = (problem: string): ParsedAmount => ({ ok: false, problem });
  const match = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/.exec(text);
  if (!match) return fail('write plain digits with a point for decimals, like 1234.50');
  const [, whole = '', decimals = ''] = match;
  if (decimals.length > exponent) {
    return fail(
      exponent === 0
        ? 'this currency has no decimals'
        : `this currency has at most ${exponent} decimals`,
    );
  }
  if (whole.length > 19) return fail('it is too large');
  const minor = BigInt(whole + decimals.padEnd(exponent, '0'));
  if (minor === 0n) return fail('it must be above 0');
  if (minor >= limitMinor) return fail('it is too large');
  return { ok: true, minor };
}

export type ReadNumber =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string };

/**
 * The decimal string of a JSON number, exact or refused. `source` is how the number was written:
 * parsing rounds more than 15 significant digits, so a number that has them is refused. `1e2` and
 * `100.0` are `100`. Without `source`, the number must come from a text whose numbers are known to
 * be exact.
 */
export function readNumber(value: number, source = String(value)): ReadNumber {
  if (isExactNumber(source) && Number(source) === value) return { ok: true, text: String(value) };
  const problem = `a number of more than ${maxExactDigits} digits is rounded: write it as a text`;
  return { ok: false, problem };
}

/** Reads an amount that came as JSON: a decimal string, or a number as `readNumber` takes it. */
export function readAmount(
  value: string | number,
  exponent: number,
  source?: string,
): ParsedAmount {
  if (typeof value === 'string') return parseAmount(value, exponent);
  const read = readNumber(value, source);
  return read.ok ? parseAmount(read.text, exponent) : read;
}

export const absoluteMinor = (minor: bigint): bigint => (minor < 0n ? -minor : minor);

/** Minor units to a decimal string: (15999n, 2) → "159.99"; negative values keep their sign. */
export function formatMinor(minor: bigint, exponent: number): string {
  const sign = minor < 0n ? '-' : '';
  const digits = absoluteMinor(minor).toString();
  if (exponent === 0) return sign + digits;
  const padded = digits.padStart(exponent + 1, '0');
  return `${sign}${padded.slice(0, -exponent)}.${padded.slice(-exponent)}`;
}
