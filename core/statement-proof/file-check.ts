import type { ExportFormat, StatementFileLine } from '../statement-format/index.ts';
import { createFieldFinder, findDifference, type FieldFinder } from './differences.ts';
import { faultOf, type ProofFault } from './types.ts';

/** The bytes of a file in order: at most so many, none at its end. */
export type FileSource = { read(maxBytes: number): Promise<Buffer> };

const blockBytes = 256 * 1024;
/** Of what a file has instead: enough for its longest line. */
const shownBytes = 64 * 1024;
const lineFeed = 0x0a;

/** Compares a file with what it should be, part by part. Constant memory. */
export function createFileCheck(source: FileSource, format: ExportFormat) {
  let window: Buffer = Buffer.alloc(0);
  let lineNumber = 1;
  let finder: FieldFinder | undefined;

  const fill = async (length: number): Promise<void> => {
    while (window.length < length) {
      const more = await source.read(blockBytes);
      if (more.length === 0) return;
      window = window.length === 0 ? more : Buffer.concat([window, more]);
    }
  };

  /** True if the file goes on with this text, which is passed then. */
  const pass = async (bytes: Buffer): Promise<boolean> => {
    if (window.length < bytes.length) await fill(bytes.length);
    if (window.length < bytes.length) return false;
    if (!window.subarray(0, bytes.length).equals(bytes)) return false;
    window = window.subarray(bytes.length);
    for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) {
      lineNumber += 1;
    }
    return true;
  };

  const where = (skipped: string): string =>
    `line ${lineNumber + skipped.split('\n').length - 1} of the file`;

  return {
    /** What stands before the first line of the statement. */
    begin: async (text: string): Promise<ProofFault | undefined> => {
      finder = createFieldFinder(format, text);
      if (await pass(Buffer.from(text))) return undefined;
      await fill(shownBytes);
      const actual = window.subarray(0, shownBytes).toString('utf8');
      if (format === 'csv') {
        return faultOf(where(''), 'header', 'is not that of a statement in this format');
      }
      return describe(where(''), findDifference(text, actual, finder));
    },
    line: async (text: string, line: StatementFileLine): Promise<ProofFault | undefined> => {
      if (await pass(Buffer.from(text))) return undefined;
      await fill(shownBytes);
      const actual = window.subarray(0, shownBytes).toString('utf8');
      const entry = `entry ${line.seq} (transaction ${line.transactionId})`;
      if (text.startsWith(actual)) {
        return faultOf(where(actual), 'line', `is missing or cut off: ${entry} of the ledger`);
      }
      const skipped = /^[,\n]*/.exec(text)?.[0] ?? '';
      const [row = ''] = actual.replace(/^[,\r\n]+/, '').split('\n', 1);
      if (!row.includes(line.transactionId)) {
        const message = `is not ${entry} of the ledger: a line was left out, added or replaced`;
        return faultOf(where(skipped), 'line', message);
      }
      const place = finder ?? createFieldFinder(format, '');
      return describe(`${where(skipped)}, entry ${line.seq}`, findDifference(text, actual, place));
    },
    /** What stands behind the last line, and that there is nothing else. */
    end: async (text: string): Promise<ProofFault | undefined> => {
      const isPassed = await pass(Buffer.from(text));
      await fill(1);
      if (isPassed && window.length === 0) return undefined;
      const message =
        window.length === 0
          ? 'is missing: the file is cut off'
          : 'is not in the ledger: the statement has no more lines';
      return faultOf(where(''), 'line', message);
    },
  };
}

const describe = (
  where: string,
  { field, found, expected }: { field: string; found: string; expected: string },
): ProofFault => {
  const quote = (text: string): string => JSON.stringify(text);
  const message =
    found === expected
      ? 'has other bytes in the file than in the ledger'
      : `is ${quote(found)} in the file, and ${quote(expected)} in the ledger`;
  return faultOf(where, field === '' ? 'file' : field, message);
};
