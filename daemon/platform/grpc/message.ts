/** Why the bytes of a call are not one message. */
export type MessageFault = {
  readonly kind: 'too large' | 'none' | 'several';
  readonly bytes: number;
  readonly maxBytes: number;
};

export type MessageReader = {
  /** A fault as soon as it is certain; nothing is kept after it. */
  add(chunk: Buffer): MessageFault | undefined;
  /** The message without its head, once no more will come. */
  end(): Buffer | MessageFault;
};

/** A flag for compression, and the length in four bytes. */
const headBytes = 5;

/** Puts the one message of a unary call together; most come in one piece. */
export function createMessageReader(maxBytes: number): MessageReader {
  let chunks: Buffer[] = [];
  let length = 0;
  let fault: MessageFault | undefined;
  const findFault = (): MessageFault | undefined => {
    if (length < headBytes) return undefined;
    const bytes = sizeOf(chunks);
    if (bytes > maxBytes) return { kind: 'too large', bytes, maxBytes };
    return length > headBytes + bytes ? { kind: 'several', bytes: length, maxBytes } : undefined;
  };
  return {
    add: (chunk) => {
      if (fault) return fault;
      chunks.push(chunk);
      length += chunk.length;
      fault = findFault();
      if (fault) chunks = [];
      return fault;
    },
    end: () => {
      if (fault) return fault;
      const isWhole = length >= headBytes && length === headBytes + sizeOf(chunks);
      if (!isWhole) return { kind: 'none', bytes: length, maxBytes };
      return join(chunks).subarray(headBytes);
    },
  };
}

function sizeOf(chunks: readonly Buffer[]): number {
  const [first] = chunks;
  return first && first.length >= headBytes ? first.readUInt32BE(1) : join(chunks).readUInt32BE(1);
}

const join = (chunks: readonly Buffer[]): Buffer =>
  chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
