import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

import type { Encoding } from '../http/accept.ts';

const toBrotli = promisify(brotliCompress);
const toGzip = promisify(gzip);

/**
 * Two levels below the best: within a tenth of its size in a twentieth of its time (0.15 s for the
 * largest script), so that no build has to do it.
 */
const brotliQuality = 9;

/** Compresses, on another thread. */
function compress(text: Buffer, encoding: Encoding): Promise<Buffer> {
  if (encoding === 'gzip') return toGzip(text);
  return toBrotli(text, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: brotliQuality,
      [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
    },
  });
}

/** The text in an encoding: compressed when it is first asked for, then kept. */
export function createCompressed(text: Buffer): (encoding: Encoding) => Promise<Buffer> {
  const copies = new Map<Encoding, Promise<Buffer>>();
  return (encoding) => {
    const copy = copies.get(encoding) ?? compress(text, encoding);
    copies.set(encoding, copy);
    return copy;
  };
}
