import { maskPrefixedTokens } from '../log.ts';

const secretName = /password|secret|token|authorization/i;

/**
 * A body as it is shown: in JSON, or what begins like it, values under names that tell of a secret
 * are taken out; in any text, API keys and browser tokens. All else stays as it is. The text is
 * read from its start to its end, without parsing it: it may be nested to any depth, cut, or
 * broken.
 */
export const redact = (text: string): string => maskPrefixedTokens(redactNamed(text), '[redacted]');

function redactNamed(text: string): string {
  if (!secretName.test(text) && !text.includes('\\u')) return text;
  const parts: string[] = [];
  let copied = 0;
  for (let at = 0; at < text.length;) {
    if (text[at] !== '"') {
      at += 1;
      continue;
    }
    const end = endOfString(text, at);
    const colon = skipBlanks(text, end);
    if (text[colon] !== ':' || !isSecret(text.slice(at, end))) {
      at = end;
      continue;
    }
    const start = skipBlanks(text, colon + 1);
    at = endOfValue(text, start);
    parts.push(text.slice(copied, start), '"[redacted]"');
    copied = at;
  }
  return parts.length === 0 ? text : parts.join('') + text.slice(copied);
}

/** A name in quotes, perhaps with escapes. */
function isSecret(quoted: string): boolean {
  if (secretName.test(quoted)) return true;
  if (!quoted.includes('\\')) return false;
  const plain = quoted.replace(/\\u([0-9a-f]{4})/gi, (_escape, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return secretName.test(plain);
}

function skipBlanks(text: string, start: number): number {
  let at = start;
  while (at < text.length && /\s/.test(text[at] ?? '')) at += 1;
  return at;
}

/** Behind the closing quote, or at the end of a text that has none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

/**
 * Behind a value: a string, all that brackets hold, or what is before the next blank, comma or
 * bracket.
 */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length;) {
    const char = text[at] ?? '';
    if (char === '"') {
      at = endOfString(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (depth === 0 && /[\s,}\]]/.test(char)) return at;
    at += 1;
    if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    if (depth === 0 && (char === '}' || char === ']')) return at;
  }
  return text.length;
}
