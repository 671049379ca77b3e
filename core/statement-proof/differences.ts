import type { ExportFormat } from '../statement-format/index.ts';

/** What a file shows for a field, and what it should. */
export type Difference = {
  readonly field: string;
  readonly found: string;
  readonly expected: string;
};

/** How the fields of a file are found. */
export type FieldFinder = (expected: string, at: number) => FieldPlace;

/** A field that begins at `start`; where it ends in a text that has the same beginning. */
type FieldPlace = {
  readonly field: string;
  readonly start: number;
  readonly endIn: (text: string) => number;
};

/** How much of a value is shown. */
const maxShown = 80;

/** Where two texts differ first. */
export function findDifference(
  expected: string,
  actual: string,
  findField: FieldFinder,
): Difference {
  let at = 0;
  while (at < expected.length && expected[at] === actual[at]) at += 1;
  const { field, start, endIn } = findField(expected, at);
  const cut = (text: string): string => text.slice(start, endIn(text)).trim().slice(0, maxShown);
  return { field, found: cut(actual), expected: cut(expected) };
}

/** Finds fields in the rows of a format. `header` is the first line of a CSV file. */
export function createFieldFinder(format: ExportFormat, header: string): FieldFinder {
  switch (format) {
    case 'csv':
      return createCellFinder(header);
    case 'json':
    case 'ndjson':
      return findJsonField;
    case 'hledger':
      return findJournalField;
  }
}

function createCellFinder(header: string): FieldFinder {
  const separator = header.includes(';') ? ';' : ',';
  const names = header.replace('\ufeff', '').trim().split(separator);
  const endIn = (text: string, start: number): number => {
    let isQuoted = false;
    for (let at = start; at < text.length; at += 1) {
      const char = text[at];
      if (char === '"') isQuoted = !isQuoted;
      else if (!isQuoted && (char === separator || char === '\r' || char === '\n')) return at;
    }
    return text.length;
  };
  return (expected, at) => {
    let [start, column] = [0, 0];
    for (;;) {
      const end = endIn(expected, start);
      // What is behind the last cell counts to it.
      if (at <= end || column >= names.length - 1) break;
      [start, column] = [end + 1, column + 1];
    }
    const from = start;
    return { field: names[column] ?? '', start: from, endIn: (text) => endIn(text, from) };
  };
}

/** The last key that begins before the difference. */
function findJsonField(expected: string, at: number): FieldPlace {
  let [field, start] = ['', 0];
  for (const match of expected.matchAll(/"(\w+)":/g)) {
    if (match.index > at) break;
    [field, start] = [match[1] ?? '', match.index];
  }
  const endIn = (text: string): number => {
    const pair = /^"\w+":(?:"(?:[^"\\]|\\.)*"|[^,}\]\n]*)/.exec(text.slice(start));
    const line = text.indexOf('\n', start);
    if (pair) return start + pair[0].length;
    return line < 0 ? text.length : line;
  };
  return { field, start, endIn };
}

/** The fields on each line of a journal's transaction, after the empty line before it. */
const journalFields = [
  'date',
  'date, transaction id or description',
  'operation, time or number',
  'amount or balance',
  'contra account or amount',
] as const;

function findJournalField(expected: string, at: number): FieldPlace {
  const before = expected.slice(0, at);
  const row = before.split('\n').length - 1;
  const start = before.lastIndexOf('\n') + 1;
  const endIn = (text: string): number => {
    const end = text.indexOf('\n', start);
    return end < 0 ? text.length : end;
  };
  return { field: journalFields[row] ?? 'contra account or amount', start, endIn };
}
