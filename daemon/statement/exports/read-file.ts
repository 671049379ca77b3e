import type { Db } from '../../platform/db.ts';
import { readChunks, type Attempt } from './store-work.ts';

/** Pieces read at once. */
const chunksPerRead = 2;

/**
 * The bytes of a finished file from an offset on, in pieces as they are stored. Ends early where
 * the file is deleted meanwhile: count what came.
 */
export async function* readFile(
  db: Db,
  attempt: Attempt,
  offset = 0n,
): AsyncGenerator<Buffer, void> {
  let at = offset;
  for (;;) {
    const start = at;
    const chunks = await db.read((tx) => readChunks(tx, attempt, start, chunksPerRead));
    const fresh = chunks.filter(({ startAt, data }) => startAt + BigInt(data.length) > start);
    if (fresh.length === 0) return;
    for (const { startAt, data } of fresh) {
      const part = startAt < at ? data.subarray(Number(at - startAt)) : data;
      yield part;
      at = startAt + BigInt(data.length);
    }
  }
}

/** The whole file. Rejects where it is not there as a whole: it has expired meanwhile. */
export async function* readWholeFile(
  db: Db,
  made: Attempt & { readonly byteCount: bigint | undefined },
): AsyncGenerator<Buffer, void> {
  let bytes = 0n;
  for await (const piece of readFile(db, made)) {
    bytes += BigInt(piece.length);
    yield piece;
  }
  if (bytes !== made.byteCount) throw new Error(`the file of export ${made.id} is not whole`);
}
