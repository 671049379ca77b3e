import { createAccumulator, type Accumulator } from '../ingress/accumulator.ts';
import { headBytes, maxFramesOf, readSize } from '../ingress/message-head.ts';

/** Why the bytes of a call are not one message. */
export type MessageFault = {
  readonly kind: 'too large' | 'none' | 'several' | 'fragmented';
  readonly bytes: number;
  readonly maxBytes: number;
};

export type MessageReader = {
  /** A fault as soon as it is certain; nothing is kept after it. */
  add(chunk: Buffer): MessageFault | undefined;
  /** The message without its head, once no more will come. */
  end(): Buffer | MessageFault;
};

/** Puts the one message of a unary call together; most come in one chunk, which is not copied. */
export function createMessageReader(maxBytes: number): MessageReader {
  let only: Buffer | undefined;
  let parts: Accumulator | undefined;
  let frames = 0;
  let length = 0;
  let size: number | undefined;
  let fault: MessageFault | undefined;

  const findFault = (chunk: Buffer): MessageFault | undefined => {
    const bytes = length + chunk.length;
    if (bytes >= headBytes) size ??= readSize(parts?.peek(), chunk);
    if (size !== undefined && size > maxBytes) return { kind: 'too large', bytes: size, maxBytes };
    if (size !== undefined && bytes > headBytes + size) return { kind: 'several', bytes, maxBytes };
    return frames > maxFramesOf(bytes) ? { kind: 'fragmented', bytes, maxBytes } : undefined;
  };
  const keep = (chunk: Buffer): void => {
    length += chunk.length;
    if (frames === 1 && size !== undefined) {
      // Most often the whole message.
      only = chunk;
      return;
    }
    parts ??= createAccumulator(headBytes + maxBytes);
    if (only) parts.append(only);
    only = undefined;
    parts.append(chunk);
  };
  return {
    add: (chunk) => {
      if (fault) return fault;
      frames += 1;
      fault = findFault(chunk);
      if (!fault) keep(chunk);
      else only = parts = undefined;
      return fault;
    },
    end: () => {
      if (fault) return fault;
      const isWhole = size !== undefined && length === headBytes + size;
      if (!isWhole) return { kind: 'none', bytes: length, maxBytes };
      return (only ?? parts?.take() ?? Buffer.alloc(0)).subarray(headBytes);
    },
  };
}
