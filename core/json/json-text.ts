import { endOfNumber, endOfString, isExactNumber, isNumberStart } from './number-text.ts';

/**
 * What `JSON.parse` gives without a word: the last of two equal keys, a `__proto__` that a careless
 * merge takes for the prototype, numbers rounded to a double, and halves of surrogate pairs, which
 * have no UTF-8.
 */
type JsonProblem =
  | { readonly kind: 'syntax' | 'too-deep' | 'too-many' | 'half-character' }
  | { readonly kind: 'duplicate-key' | 'reserved-key' | 'inexact-number'; readonly text: string };

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: JsonProblem };

/** Objects and arrays within each other; no request needs more than five. */
export const maxDepth = 64;
/** Values of objects and arrays; a batch of 1,000 items has about 12,000. */
export const maxValues = 50_000;
const reserved: ReadonlySet<string> = new Set(['__proto__']);

/**
 * Parses JSON (RFC 8259), and refuses what RFC 8785 and I-JSON call not interoperable. Linear in
 * the length of the text, which has no lone surrogates itself.
 */
export function parseJson(text: string): ParsedJson {
  try {
    const problem = findProblem(text);
    return problem ? { ok: false, problem } : { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return { ok: false, problem: { kind: 'syntax' } };
  }
}

const quote = 0x22;
const comma = 0x2c;
const code = (char: string): number => char.charCodeAt(0);
const openObject = code('{');
const openArray = code('[');
const closeObject = code('}');
const closeArray = code(']');

/** The keys of the objects that are open, by depth. Most have one: it needs no set. */
type Keys = {
  readonly first: (string | undefined)[];
  readonly all: (Set<string> | undefined)[];
};

/**
 * Looks at keys, numbers, escapes and depth only. A text that is no JSON may get another problem
 * than its syntax, or throw a SyntaxError.
 */
function findProblem(text: string): JsonProblem | undefined {
  const keys: Keys = { first: [], all: [] };
  const isObject: boolean[] = [];
  let depth = 0;
  let isKey = false;
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === quote) {
      const end = endOfString(text, at);
      const isPlain = end > 0;
      const after = Math.abs(end);
      const value = isPlain ? text.slice(at + 1, after - 1) : readEscaped(text.slice(at, after));
      if (!isPlain && !value.isWellFormed()) return { kind: 'half-character' };
      if (isKey) {
        const problem = addKey(keys, depth, value);
        if (problem) return problem;
        isKey = false;
      }
      at = after - 1;
    } else if (char === comma) {
      values += 1;
      if (values === maxValues) return { kind: 'too-many' };
      isKey = isObject[depth] === true;
    } else if (char === openObject || char === openArray) {
      if (depth === maxDepth) return { kind: 'too-deep' };
      isKey = char === openObject;
      depth += 1;
      isObject[depth] = isKey;
      keys.first[depth] = undefined;
      keys.all[depth] = undefined;
    } else if (char === closeObject || char === closeArray) {
      depth = Math.max(0, depth - 1);
      isKey = false;
    } else if (isNumberStart(char)) {
      const end = endOfNumber(text, at);
      if (!isExactNumber(text, at, end))
        return { kind: 'inexact-number', text: text.slice(at, end) };
      at = end - 1;
    }
  }
  return undefined;
}

function addKey({ first, all }: Keys, depth: number, key: string): JsonProblem | undefined {
  if (reserved.has(key)) return { kind: 'reserved-key', text: key };
  const before = first[depth];
  if (before === undefined) {
    first[depth] = key;
    return undefined;
  }
  const seen = (all[depth] ??= new Set([before]));
  if (seen.has(key)) return { kind: 'duplicate-key', text: key };
  seen.add(key);
  return undefined;
}

const readEscaped = (text: string): string => JSON.parse(text) as string;
