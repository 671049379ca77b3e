import type { Db } from '../../platform/db/db.ts';
import { findChunk, readChunk, type Attempt } from './store-work.ts';

/**
 * The bytes of a finished file from an offset on, in chunks as they are stored. Ends early where
 * the file is deleted meanwhile: count what came.
 */
export async function* readFile(
  db: Db,
  attempt: Attempt,
  offset = 0n,
): AsyncGenerator<Buffer, void> {
  const first = await db.read((tx) => findChunk(tx, attempt, offset));
  if (!first) return;
  const read = (n: number): Promise<Buffer | undefined> => {
    const reading = db.read((tx) => readChunk(tx, attempt, n));
    // Awaited later, if at all; a failure must not count as unhandled until then.
    reading.catch(() => undefined);
    return reading;
  };
  // The next chunk is read while this one is on its way.
  let next = read(first.n);
  for (let { n } = first; ; n += 1) {
    const data = await next;
    if (!data) return;
    next = read(n + 1);
    const part = n === first.n ? data.subarray(Number(offset - first.startAt)) : data;
    if (part.length > 0) yield part;
  }
}

/** The whole file. Rejects where it is not there as a whole: it has expired meanwhile. */
export async function* readWholeFile(
  db: Db,
  made: Attempt & { readonly byteCount: bigint | undefined },
): AsyncGenerator<Buffer, void> {
  let bytes = 0n;
  for await (const chunk of readFile(db, made)) {
    bytes += BigInt(chunk.length);
    yield chunk;
  }
  if (bytes !== made.byteCount) throw new Error(`the file of export ${made.id} is not whole`);
}
