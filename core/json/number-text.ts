/** A double holds each decimal number of so many significant digits. */
export const maxExactDigits = 15;

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openArray = 0x5b;
const openObject = 0x7b;
const closeArray = 0x5d;
const closeObject = 0x7d;

const isDigit = (char: number): boolean => char >= 0x30 && char <= 0x39;

/** The first character of a number: a digit or a minus. */
export const isNumberStart = (char: number): boolean => isDigit(char) || char === 0x2d;

/** Of a number after its first character: digits and `+-.eE`. */
const isOfNumber = (char: number): boolean =>
  isNumberStart(char) || char === 0x2b || char === 0x2e || char === 0x65 || char === 0x45;

/** One past the last character of the number that begins at `start`. */
export function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && isOfNumber(text.charCodeAt(at))) at += 1;
  return at;
}

/** One past the closing quote of the string that begins at `start`; negative if it has an escape. */
export function endOfString(text: string, start: number): number {
  let sign = 1;
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === backslash) {
      sign = -1;
      at += 1;
    } else if (char === quote) {
      return sign * (at + 1);
    }
  }
  return sign * text.length;
}

/**
 * True if `JSON.parse` keeps the number that stands there: it has at most 15 significant digits,
 * and is neither too large for a double nor too small for a normal one.
 */
export function isExactNumber(text: string, start = 0, end = text.length): boolean {
  if (end - start <= maxExactDigits && !hasExponent(text, start, end)) return true;
  const number = text.slice(start, end);
  const [mantissa = ''] = number.split(/[eE]/);
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '');
  if (digits.length > maxExactDigits) return false;
  const value = Math.abs(Number(number));
  // Below the least normal number a double has fewer digits, down to none.
  return digits === '' || (value >= leastNormal && Number.isFinite(value));
}

const leastNormal = 2 ** -1022;

function hasExponent(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const char = text.charCodeAt(at);
    if (char === 0x65 || char === 0x45) return true;
  }
  return false;
}

/**
 * The number at a path of keys as it is written in a JSON text, for example `1e2` at `['amount']`;
 * undefined if there is none. Of equal keys the last one counts, as for `JSON.parse`, which must
 * have accepted the text. Linear in its length.
 */
export function findNumberText(json: string, path: readonly string[]): string | undefined {
  let found: string | undefined;
  let depth = 0;
  // How many objects, from the outermost one, are those on the path.
  let onPath = 0;
  let isKeyOnPath = false;
  for (let at = 0; at < json.length; at += 1) {
    const char = json.charCodeAt(at);
    if (char === quote) {
      const end = Math.abs(endOfString(json, at));
      if (onPath === depth && isKey(json, end)) {
        isKeyOnPath = (JSON.parse(json.slice(at, end)) as string) === path[depth - 1];
      }
      at = end - 1;
    } else if (char === openObject || char === openArray) {
      const isNext = onPath === depth && (depth === 0 || isKeyOnPath);
      depth += 1;
      if (isNext && char === openObject && depth <= path.length) onPath = depth;
      isKeyOnPath = false;
    } else if (char === closeObject || char === closeArray) {
      depth -= 1;
      onPath = Math.min(onPath, depth);
      isKeyOnPath = false;
    } else if (char === comma) {
      isKeyOnPath = false;
    } else if (isNumberStart(char)) {
      const end = endOfNumber(json, at);
      const isThere = isKeyOnPath && onPath === depth && depth === path.length;
      if (isThere) found = json.slice(at, end);
      at = end - 1;
    }
  }
  return found;
}

/** True if a colon follows, after blanks. */
function isKey(json: string, end: number): boolean {
  let at = end;
  while (at < json.length && json.charCodeAt(at) <= 0x20) at += 1;
  return json.charCodeAt(at) === colon;
}
