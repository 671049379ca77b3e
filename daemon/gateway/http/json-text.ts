/**
 * What `JSON.parse` gives without a word: the last of two equal keys, a `__proto__` that a careless
 * merge takes for the prototype, and numbers rounded to a double.
 */
type JsonProblem =
  | { readonly kind: 'syntax' }
  | { readonly kind: 'duplicate-key' | 'reserved-key' | 'inexact-number'; readonly text: string };

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: JsonProblem };

/** A double holds each decimal number of so many significant digits. */
const maxDigits = 15;
const reserved = '__proto__';

/**
 * Parses JSON (RFC 8259), and refuses what RFC 8785 and I-JSON call not interoperable. Linear in
 * the length of the text.
 */
export function parseJson(text: string): ParsedJson {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, problem: { kind: 'syntax' } };
  }
  const problem = findProblem(text);
  return problem ? { ok: false, problem } : { ok: true, value };
}

const codeOf = (char: string): number => char.charCodeAt(0);
const quote = codeOf('"');
const backslash = codeOf('\\');
const comma = codeOf(',');
const minus = codeOf('-');
const zero = codeOf('0');
const nine = codeOf('9');
const openObject = codeOf('{');
const closeObject = codeOf('}');
const openArray = codeOf('[');
const closeArray = codeOf(']');

/** The text is known to be JSON: only keys and numbers are looked at. */
function findProblem(text: string): JsonProblem | undefined {
  /** The keys of each object that is open so far; undefined for an array. */
  const outer: (Set<string> | undefined)[] = [];
  let keys: Set<string> | undefined;
  let isKey = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      const end = endOfString(text, at);
      if (isKey && keys) {
        const key = readKey(text, at, end);
        if (key === reserved) return { kind: 'reserved-key', text: key };
        if (keys.has(key)) return { kind: 'duplicate-key', text: key };
        keys.add(key);
        isKey = false;
      }
      at = end;
    } else if (code === comma) {
      isKey = keys !== undefined;
    } else if (code === openObject || code === openArray) {
      outer.push(keys);
      isKey = code === openObject;
      keys = isKey ? new Set() : undefined;
    } else if (code === closeObject || code === closeArray) {
      keys = outer.pop();
      isKey = false;
    } else if (code === minus || (code >= zero && code <= nine)) {
      const end = endOfNumber(text, at);
      const number = text.slice(at, end);
      if (!isExact(number)) return { kind: 'inexact-number', text: number };
      at = end - 1;
    }
  }
  return undefined;
}

/** The place of the quotation mark that ends a string: one with no backslash of its own before. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === backslash) before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
  return text.length;
}

function readKey(text: string, start: number, end: number): string {
  const key = text.slice(start + 1, end);
  return key.includes('\\') ? (JSON.parse(`"${key}"`) as string) : key;
}

function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && '+-.0123456789eE'.includes(text.charAt(at))) at += 1;
  return at;
}

function isExact(number: string): boolean {
  if (number.length <= maxDigits && !/[eE]/.test(number)) return true;
  const [mantissa = ''] = number.split(/[eE]/);
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '');
  return digits.length <= maxDigits && Number.isFinite(Number(number));
}
