/** The fields of a record; undefined for one whose quotes are not those of CSV. */
export type CsvRecord = readonly string[] | undefined;

export type CsvReader = {
  /** The records that end in this chunk of the text; with the last chunk, all that is left. */
  read(chunk: string, isLast: boolean): CsvRecord[];
  /** True if the last record that was read ended with the text, and not with a line end. */
  isLastOpen(): boolean;
  /** True once a record was longer than may be: nothing after it can be read. */
  isOverlong(): boolean;
};

const quoteCode = 0x22;
const crCode = 0x0d;
const lfCode = 0x0a;

/**
 * Reads RFC 4180, and lines that end in LF or CR alone. Empty lines are no records. By hand, since
 * reading is on the way of each row of a batch (docs/decisions/0043): a test holds it against
 * csv-parse.
 */
export function createCsvReader(maxRecordCharacters: number, delimiter = ','): CsvReader {
  const delimiterCode = delimiter.charCodeAt(0);
  let isLastOpen = false;
  let rest = '';
  let isAtStart = true;
  let isOverlong = false;
  return {
    read: (chunk, isLast) => {
      let text = rest + chunk;
      if (isAtStart && text !== '') {
        isAtStart = false;
        if (text.startsWith('\uFEFF')) text = text.slice(1);
      }
      const scan = createScan(text, isLast, delimiterCode);
      const records: CsvRecord[] = [];
      let start = 0;
      while (!isOverlong && start < text.length && readRecord(scan)) {
        isOverlong = scan.at - start > maxRecordCharacters;
        start = scan.at;
        isLastOpen = scan.isOpen;
        if (!isOverlong && !scan.isEmpty) records.push(scan.isBad ? undefined : scan.fields);
      }
      rest = text.slice(start);
      isOverlong ||= rest.length > maxRecordCharacters;
      return records;
    },
    isLastOpen: () => isLastOpen,
    isOverlong: () => isOverlong,
  };
}

/** Where reading is in a text, and what it has read of the record there. */
type Scan = {
  readonly text: string;
  /** No more text will come: its end ends a record. */
  readonly isLast: boolean;
  readonly delimiterCode: number;
  at: number;
  fields: string[];
  isBad: boolean;
  isEmpty: boolean;
  /** The record has no line end. */
  isOpen: boolean;
};

const createScan = (text: string, isLast: boolean, delimiterCode: number): Scan => ({
  ...{ text, isLast, delimiterCode, at: 0 },
  ...{ fields: [], isBad: false, isEmpty: true, isOpen: false },
});

/** Reads a record, and the end of its line; false if the text ends before it does. */
function readRecord(scan: Scan): boolean {
  const { text } = scan;
  const start = scan.at;
  scan.fields = [];
  scan.isBad = false;
  for (;;) {
    const isQuoted = text.charCodeAt(scan.at) === quoteCode;
    if (!(isQuoted ? readQuoted(scan) : readPlain(scan))) return false;
    const code = text.charCodeAt(scan.at);
    if (code === scan.delimiterCode) {
      scan.at += 1;
      continue;
    }
    scan.isEmpty = scan.at === start;
    scan.isOpen = scan.at === text.length;
    if (scan.isOpen) return scan.isLast;
    if (code === crCode) {
      // Whether a line feed belongs to it is not known yet.
      if (scan.at + 1 === text.length && !scan.isLast) return false;
      if (text.charCodeAt(scan.at + 1) === lfCode) scan.at += 1;
    }
    scan.at += 1;
    return true;
  }
}

const isFieldEnd = (code: number, { delimiterCode }: Scan): boolean =>
  code === delimiterCode || code === lfCode || code === crCode;

function readPlain(scan: Scan): boolean {
  const { text } = scan;
  const start = scan.at;
  let end = start;
  for (; end < text.length; end += 1) {
    const code = text.charCodeAt(end);
    if (isFieldEnd(code, scan)) break;
    if (code === quoteCode) scan.isBad = true;
  }
  scan.fields.push(text.slice(start, end));
  scan.at = end;
  return end < text.length || scan.isLast;
}

function readQuoted(scan: Scan): boolean {
  const { text } = scan;
  const start = scan.at + 1;
  let isDoubled = false;
  for (let from = start; ;) {
    const end = text.indexOf('"', from);
    const next = end + 1;
    if (end < 0 || (next === text.length && !scan.isLast)) {
      if (!scan.isLast) return false;
      scan.isBad = true;
      scan.at = text.length;
      return true;
    }
    if (next === text.length || isFieldEnd(text.charCodeAt(next), scan)) {
      const value = text.slice(start, end);
      scan.fields.push(isDoubled ? value.replaceAll('""', '"') : value);
      scan.at = next;
      return true;
    }
    if (text.charCodeAt(next) === quoteCode) isDoubled = true;
    else scan.isBad = true;
    from = text.charCodeAt(next) === quoteCode ? next + 1 : next;
  }
}
