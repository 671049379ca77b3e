import { maxProofLineBytes } from './proof-text.ts';
import { faultOf, type ProofFault } from './types.ts';

const lineFeed = 0x0a;

/** Lines without their ends; after a fault there is nothing more. */
type ProofLines = { readonly lines: readonly string[]; readonly fault?: ProofFault };

/**
 * Splits the bytes of a proof into lines. Constant memory: a line that is too long, that is not
 * UTF-8 or has no end is a fault.
 */
export async function* splitProofLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<ProofLines> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let rest: Buffer = Buffer.alloc(0);
  let count = 0;
  const fail = (message: string): ProofFault =>
    faultOf(`line ${count + 1} of the proof`, 'proof', message);
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(lineFeed, start);
      const length = (end < 0 ? bytes.length : end) - start;
      if (length > maxProofLineBytes) {
        yield { lines, fault: fail('is longer than any line of a proof') };
        return;
      }
      if (end < 0) break;
      try {
        lines.push(decoder.decode(bytes.subarray(start, end)));
      } catch {
        yield { lines, fault: fail('is not UTF-8') };
        return;
      }
      count += 1;
      start = end + 1;
    }
    rest = bytes.subarray(start);
    yield { lines };
  }
  if (rest.length > 0) yield { lines: [], fault: fail('has no end: the proof is cut off') };
}
