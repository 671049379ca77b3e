// Texts in roff, the notation of man pages, with the macros of man(7).

/** Text inside a line. */
export function escapeRoff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(/[^\x20-\x7e\n]/gu, (char) => {
      const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase();
      return `\\[u${code.padStart(4, '0')}]`;
    });
}

/** A line of text: a point or an apostrophe at its beginning would be a macro. */
export const toLine = (text: string): string =>
  escapeRoff(text.replace(/\s+/g, ' ').trim()).replace(/^\./, '\\&.');

/** An argument of a macro. */
const toArgument = (text: string): string => `"${escapeRoff(text).replaceAll('"', '\\(dq')}"`;

export const section = (title: string): string => `.SH ${toArgument(title)}`;

export const paragraph = (text: string): string => `.PP\n${toLine(text)}`;

/** A term in bold, and what it means. */
export const definition = (term: string, text: string): string =>
  `.TP\n.B ${toArgument(term)}\n${text === '' ? '\\&' : toLine(text)}`;

/** Lines that keep their breaks and blanks. */
export function verbatim(text: string): string {
  const lines = text.split('\n').map((line) => {
    const escaped = escapeRoff(line.trimEnd());
    return escaped === '' || /^[. ]/.test(escaped) ? `\\&${escaped}` : escaped;
  });
  return ['.nf', ...lines, '.fi'].join('\n');
}

/** The head of a page. */
export const title = (name: string, version: string, date: string): string =>
  `.TH ${toArgument(name.toUpperCase())} 1 "${date}" ${toArgument(version)}`;
