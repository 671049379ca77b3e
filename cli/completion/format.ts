import type { Completion } from './complete.ts';
import type { OpenQuote, Shell } from './split-line.ts';

/** The word as it stands on the command line. */
export type TypedWord = {
  /** Without its quotes. */
  readonly current: string;
  /** bash alone: the part of the word that its candidates replace, with its quotes. */
  readonly replaced: string;
  readonly openQuote: OpenQuote;
};

/** An answer in the notation that the shell's script reads. */
export function formatAnswer(
  { kind, candidates, prefix }: Completion,
  word: TypedWord,
  shell: Shell,
): string {
  if (kind === 'files') return 'files\n';
  const safe = candidates.filter(({ value }) => !/\p{Cc}/u.test(value));
  const lines = safe.flatMap(({ value, help }) => {
    const described = help?.replace(/\s+/g, ' ').replace(/\p{C}/gu, '') ?? '';
    switch (shell) {
      case 'bash':
        return completeInBash(prefix + value, word);
      case 'zsh':
        return [value.replace(/[\\:]/g, '\\$&') + (described === '' ? '' : `:${described}`)];
      case 'fish':
        return [prefix + value + (described === '' ? '' : `\t${described}`)];
    }
  });
  return ['values', ...lines, ''].join('\n');
}

/**
 * What replaces the part of a word that bash gives: the same part, then the rest, quoted as the
 * word's beginning is. zsh and fish choose and quote by themselves.
 */
function completeInBash(value: string, { current, replaced, openQuote }: TypedWord): string[] {
  if (!value.startsWith(current)) return [];
  return [replaced + quoteInBash(value.slice(current.length), openQuote)];
}

function quoteInBash(text: string, openQuote: OpenQuote): string {
  switch (openQuote) {
    case '"':
      return text.replace(/["$`\\]/g, '\\$&');
    case "'":
      return text.replaceAll("'", "'\\''");
    case '':
      return text.replace(/[^\p{L}\p{N}_@%+=:,./-]/gu, '\\$&');
  }
}
