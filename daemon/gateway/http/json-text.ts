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
const reserved: ReadonlySet<string> = new Set(['__proto__']);
const whitespace: ReadonlySet<string> = new Set([' ', '\t', '\n', '\r']);

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

/** The text is known to be JSON: only keys and numbers are looked at. */
function findProblem(text: string): JsonProblem | undefined {
  const open: (Set<string> | undefined)[] = [];
  let isKey = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '"') {
      const end = endOfString(text, at);
      if (isKey) {
        const key = JSON.parse(text.slice(at, end)) as string;
        const keys = open.at(-1);
        if (reserved.has(key)) return { kind: 'reserved-key', text: key };
        if (keys?.has(key)) return { kind: 'duplicate-key', text: key };
        keys?.add(key);
        isKey = false;
      }
      at = end - 1;
    } else if (char === '{') {
      open.push(new Set());
      isKey = true;
    } else if (char === '[') {
      open.push(undefined);
    } else if (char === '}' || char === ']') {
      open.pop();
      isKey = false;
    } else if (char === ',') {
      isKey = open.at(-1) !== undefined;
    } else if (char === '-' || (char >= '0' && char <= '9')) {
      const end = endOfNumber(text, at);
      const number = text.slice(at, end);
      if (!isExact(number)) return { kind: 'inexact-number', text: number };
      at = end - 1;
    } else if (!whitespace.has(char) && char !== ':') {
      // true, false, null
      at += char === 'f' ? 4 : 3;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '\\') at += 1;
    else if (char === '"') return at + 1;
  }
  return text.length;
}

function endOfNumber(text: string, start: number): number {
  let at = start;
  while (at < text.length && '+-.0123456789eE'.includes(text.charAt(at))) at += 1;
  return at;
}

function isExact(number: string): boolean {
  const [mantissa = ''] = number.split(/[eE]/);
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '');
  return digits.length <= maxDigits && Number.isFinite(Number(number));
}
