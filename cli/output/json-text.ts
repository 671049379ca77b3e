import { stripControls } from '../../core/text.ts';

/**
 * A JSON text with one entry a line; undefined for any other text. Each number and string stays
 * as it was written: reading them would round and shorten just what may be wrong with them.
 */
export function formatJsonText(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let formatted = '';
  let depth = 0;
  const startLine = (): string => `\n${'  '.repeat(depth)}`;
  tokens.forEach((token, index) => {
    if (token === '}' || token === ']') {
      depth -= 1;
      const isEmpty = tokens[index - 1] === (token === '}' ? '{' : '[');
      formatted += isEmpty ? token : startLine() + token;
      return;
    }
    const before = tokens[index - 1];
    if (before === '{' || before === '[' || before === ',') formatted += startLine();
    if (token === '{' || token === '[') depth += 1;
    formatted += token === ':' ? ': ' : token;
  });
  return formatted;
}

/** A text of others on lines of its own, safe for a terminal; JSON is spread out. */
export function formatBody(body: string): string {
  return (formatJsonText(body) ?? body)
    .split(/\r\n|\r|\n/)
    .map((line) => `${stripControls(line.replaceAll('\t', '  ')).trimEnd()}\n`)
    .join('');
}

/** A text of others on one line, of at most 500 characters: enough for the widest terminal. */
export function formatExcerpt(text: string): string {
  const line = stripControls(text.slice(0, 2000).replace(/\s+/g, ' ')).trim();
  const isWhole = text.length <= 2000 && line.length <= 500;
  // Not in the middle of a pair of surrogates.
  return isWhole ? line : `${line.slice(0, 499).replace(/[\ud800-\udbff]$/, '')}…`;
}
