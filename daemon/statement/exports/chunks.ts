import { createHash } from 'node:crypto';

import type { Chunk } from './store-work.ts';

/** Four messages of a download. */
const pieceBytes = 240 * 1024;

/**
 * Cuts a file into chunks as it is written. Buffers of chunks that were stored are used again, so
 * that a file of any size needs those only that are on their way. No character is cut.
 */
export function createChunks() {
  const hash = createHash('sha256');
  const encoder = new TextEncoder();
  const free: Buffer[] = [];
  const take = (): Buffer => free.pop() ?? Buffer.allocUnsafeSlow(pieceBytes);
  let full: Chunk[] = [];
  let chunk = take();
  let filled = 0;
  /** Bytes in chunks that are closed. */
  let bytes = 0n;
  let n = 0;

  const close = (): void => {
    if (filled === 0) return;
    const data = chunk.subarray(0, filled);
    hash.update(data);
    full.push({ n, startAt: bytes, data });
    n += 1;
    bytes += BigInt(filled);
    filled = 0;
    chunk = take();
  };

  return {
    text: (text: string): void => {
      for (let rest = text; rest !== '';) {
        // Up to three bytes may stay free.
        const { read, written } = encoder.encodeInto(rest, chunk.subarray(filled));
        filled += written;
        rest = rest.slice(read);
        if (rest !== '') close();
      }
    },
    /** Sees to so many bytes of room in the current chunk; false if no chunk has that much. */
    makeRoom: (size: number): boolean => {
      if (size > pieceBytes) return false;
      if (filled + size > pieceBytes) close();
      return true;
    },
    current: (): Buffer => chunk,
    filled: (): number => filled,
    /** What was written into the current chunk by another writer ends here. */
    fillTo: (end: number): void => {
      filled = end;
    },
    /** Closes the last chunk, too. */
    close,
    /** Pieces that are closed, each given once. */
    takeFull: (): readonly Chunk[] => {
      const taken = full;
      full = [];
      return taken;
    },
    /** Gives back chunks that are stored: their bytes will be overwritten. */
    release: (chunks: readonly Chunk[]): void => {
      for (const { data } of chunks) free.push(Buffer.from(data.buffer));
    },
    bytes: (): bigint => bytes + BigInt(filled),
    result: () => ({ bytes, sha256: hash.digest() }),
  };
}
