import type { FileHandle } from 'node:fs/promises';

import { openOwnFile } from '../../../files/files.ts';
import { isResultsHead } from './results.ts';
import { ResultsError, sortedOf } from './files.ts';

const blockBytes = 256 * 1024;

/**
 * Copies results into a file beside them, in order of their rows, and gives that file. Results are
 * written as they come, and those of rows that were deferred come late. Only the places of late
 * results are kept in memory.
 */
export async function sortResults(results: FileHandle, path: string): Promise<FileHandle> {
  const opened = await openOwnFile(sortedOf(path), 'results');
  if (!opened.ok) throw new ResultsError(opened.failure.message);
  const { file } = opened.value;
  try {
    if (!(await isResultsHead(file))) {
      throw new ResultsError(`${sortedOf(path)} holds no results of a batch: remove it`);
    }
    await file.truncate(0);
    await copySorted(results, file);
    await file.sync();
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

type Place = { readonly row: number; readonly offset: number; readonly length: number };

async function copySorted(from: FileHandle, to: FileHandle): Promise<void> {
  const late = await findLate(from);
  const writer = createBlockWriter(to);
  let next = 0;
  let highest = 0;
  const writeLate = async (beforeRow: number): Promise<void> => {
    for (let place = late[next]; place && place.row < beforeRow; place = late[next]) {
      const text = Buffer.alloc(place.length);
      await from.read(text, 0, place.length, place.offset);
      await writer.write(text);
      next += 1;
    }
  };
  for await (const { row, text } of readRecords(from)) {
    if (row < highest) continue;
    highest = row;
    await writeLate(row);
    await writer.write(text);
  }
  await writeLate(Infinity);
  await writer.flush();
}

/** Where the results are that follow those of a later row, in order of their rows. */
async function findLate(from: FileHandle): Promise<readonly Place[]> {
  const late: Place[] = [];
  let highest = 0;
  let offset = 0;
  for await (const { row, text } of readRecords(from)) {
    if (row < highest) late.push({ row, offset, length: text.length });
    else highest = row;
    offset += text.length;
  }
  return late.sort((a, b) => a.row - b.row);
}

/** The records of results with the number of their row; the header has none, which counts as 0. */
async function* readRecords(from: FileHandle): AsyncGenerator<{ row: number; text: Buffer }> {
  const block = Buffer.alloc(blockBytes);
  let rest = Buffer.alloc(0);
  for (let position = 0; ;) {
    const { bytesRead } = await from.read(block, 0, blockBytes, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    const data = Buffer.concat([rest, block.subarray(0, bytesRead)]);
    let begin = 0;
    for (let end = findEnd(data, 0); end >= 0; end = findEnd(data, begin)) {
      const text = data.subarray(begin, end + 1);
      yield { row: rowOf(text), text };
      begin = end + 1;
    }
    rest = data.subarray(begin);
  }
  if (rest.length > 0) yield { row: rowOf(rest), text: rest };
}

const [lineFeed, quote, brace] = [10, 34, 123];

/** Where the record that begins at `begin` ends; -1 if that is not in `data`. */
function findEnd(data: Buffer, begin: number): number {
  // Only a cell of CSV can have a line break.
  if (data[begin] === brace) return data.indexOf(lineFeed, begin);
  let isQuoted = false;
  for (let at = begin; at < data.length; at += 1) {
    if (data[at] === quote) isQuoted = !isQuoted;
    else if (data[at] === lineFeed && !isQuoted) return at;
  }
  return -1;
}

function rowOf(line: Buffer): number {
  const found = /^(?:\{"row":)?(\d+)/.exec(line.toString('latin1', 0, 32));
  return found ? Number(found[1]) : 0;
}

function createBlockWriter(to: FileHandle) {
  let parts: Buffer[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    await to.appendFile(Buffer.concat(parts));
    parts = [];
    bytes = 0;
  };
  return {
    flush,
    write: async (text: Buffer): Promise<void> => {
      parts.push(text);
      bytes += text.length;
      if (bytes >= blockBytes) await flush();
    },
  };
}
