import { findNumberText } from '../../../../core/json/number-text.ts';
import { readNumber } from '../../../../core/money.ts';
import { cutOff } from './csv-rows.ts';
import { decodeText } from './decode.ts';
import { isBatchColumn, maxRecordCharacters, type RawRow } from './raw-row.ts';

/** Rows of NDJSON, chunk by chunk. `isPiped`: a last line that is cut off ends it with InputError. */
export async function* readNdjson(
  input: AsyncIterable<Buffer>,
  { isPiped }: { readonly isPiped: boolean },
): AsyncIterable<readonly RawRow[]> {
  let rest = '';
  let row = 0;
  let isCut = false;
  const read = (line: string): RawRow[] => {
    const wasCut = isCut;
    isCut = false;
    if (!wasCut && line.trim() === '') return [];
    row += 1;
    return [wasCut ? { row, cells: {}, problem: 'is too long' } : { row, ...readObject(line) }];
  };
  for await (const text of decodeText(input)) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    const rows = lines.flatMap((line) => {
      if (line.length > maxRecordCharacters) isCut = true;
      return read(line);
    });
    if (rest.length > maxRecordCharacters) {
      // Its end is waited for, its content is not kept.
      isCut = true;
      rest = '';
    }
    if (rows.length > 0) yield rows;
  }
  const last = read(rest);
  if (isPiped && last.some(({ problem }) => problem === notJson)) throw cutOff(row);
  yield last;
}

const notJson = 'is not JSON';

function readObject(line: string): Omit<RawRow, 'row'> {
  let value: unknown;
  const text = line.replace(/^\uFEFF/, '');
  try {
    value = JSON.parse(text);
  } catch {
    return { cells: {}, problem: notJson };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { cells: {}, problem: 'is not a JSON object' };
  }
  const cells: Record<string, string> = {};
  let amountProblem: string | undefined;
  for (const [name, cell] of Object.entries(value as Record<string, unknown>)) {
    if (!isBatchColumn(name))
      return { cells: {}, problem: `has an unknown key ${JSON.stringify(name)}` };
    if (cell === null || cell === '') continue;
    if (name === 'amount' && typeof cell === 'number') {
      const read = readNumber(cell, findNumberText(text, ['amount']));
      if (read.ok) cells[name] = read.text;
      else amountProblem = read.problem;
      continue;
    }
    if (name === 'keep_rest' && typeof cell === 'boolean') {
      cells[name] = String(cell);
      continue;
    }
    if (name === 'metadata' && typeof cell === 'object') {
      cells[name] = JSON.stringify(cell);
      continue;
    }
    if (typeof cell !== 'string') {
      return { cells: {}, problem: `has a ${name} that is not a string` };
    }
    cells[name] = cell;
  }
  return { cells, ...(amountProblem !== undefined && { amountProblem }) };
}
