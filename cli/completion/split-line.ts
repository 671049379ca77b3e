/** The shells that there is a completion script for. */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** The quotation mark that is open at the end of a line. */
export type OpenQuote = '' | '"' | "'";

export type SplitLine = {
  /** The finished words, without their quotes. */
  readonly words: readonly string[];
  /** The word that the line ends in, without its quotes; empty after a blank. */
  readonly current: string;
  readonly openQuote: OpenQuote;
};

/**
 * Splits a line into words as a shell does, and expands nothing: `$(rm -r x)` are three words of
 * text.
 */
export function splitLine(line: string, shell: Shell): SplitLine {
  const words: string[] = [];
  let current: string | undefined;
  let openQuote: OpenQuote = '';
  for (let index = 0; index < line.length; index += 1) {
    const char = line[index] ?? '';
    if (openQuote === '' && /\s/.test(char)) {
      if (current !== undefined) words.push(current);
      current = undefined;
    } else if (openQuote === '' && (char === '"' || char === "'")) {
      openQuote = char;
      current ??= '';
    } else if (char === openQuote) {
      openQuote = '';
    } else if (char === '\\' && isEscape(openQuote, line[index + 1], shell)) {
      index += 1;
      current = (current ?? '') + (line[index] ?? '');
    } else {
      current = (current ?? '') + char;
    }
  }
  return { words, current: current ?? '', openQuote };
}

/** Whether a backslash before `next` quotes it. */
function isEscape(openQuote: OpenQuote, next: string | undefined, shell: Shell): boolean {
  if (openQuote === '') return true;
  if (next === undefined) return false;
  const escapable = {
    '"': shell === 'fish' ? '"$\\' : '"$\\`',
    "'": shell === 'fish' ? "'\\" : '',
  };
  return escapable[openQuote].includes(next);
}
