/**
 * A spreadsheet takes a cell for a formula if it begins with one of these, in their ASCII,
 * full-width or small forms; some skip white space and invisible characters before it.
 */
const formulaStart =
  /^(?:[\t\r\n]|[\s\p{Cc}\p{Cf}]*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212])/u;

/** Text for a cell of a CSV file: an apostrophe in front makes text of what could be a formula. */
export function neutraliseFormula(text: string): string {
  return formulaStart.test(text) ? `'${text}` : text;
}

/** The characters between two cells of a row. */
export type CsvSeparator = ',' | ';';

const quotedCharacters: Readonly<Record<CsvSeparator, RegExp>> = {
  ',': /[",\r\n]/,
  ';': /[";\r\n]/,
};

/** A cell as RFC 4180 writes it: in quotes where it holds a separator, a quote or a line break. */
export function quoteCsvCell(cell: string, separator: CsvSeparator = ','): string {
  return quotedCharacters[separator].test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** A row as RFC 4180 writes it, with its line end. The cells are quoted already where needed. */
export function formatCsvRow(cells: readonly string[], separator: CsvSeparator = ','): string {
  return `${cells.join(separator)}\r\n`;
}

/**
 * First bytes, in UTF-8, of everything that `neutraliseFormula` may change. Texts that begin with
 * another byte stay as they are.
 */
export const formulaLeadBytes: ReadonlySet<number> = new Set([
  ...Array.from({ length: 0x21 }, (_, byte) => byte),
  ...Buffer.from('=+-@'),
  0x7f,
  ...[0xc2, 0xd8, 0xdb, 0xdc, 0xe0, 0xe1, 0xe2, 0xe3, 0xef, 0xf0, 0xf3],
]);
