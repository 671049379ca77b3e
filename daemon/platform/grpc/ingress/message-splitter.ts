import { createAccumulator } from './accumulator.ts';
import { headBytes, maxFramesOf, readSize } from './message-head.ts';

export type SplitterOptions = {
  readonly maxBytes: number;
  /** Whether there is one message; of what follows it, just enough is handed on to be refused. */
  readonly isSingle: boolean;
  /** Whether each message is a part of its own. */
  readonly isOneByOne: boolean;
};

export type MessageSplitter = {
  /** What can be handed on: whole messages, or the head of one that is too large. */
  add(chunk: Buffer): Buffer[];
  /** True once a message came in more frames than it may. Nothing is handed on any more. */
  readonly isFragmented: boolean;
  /** Bytes of a message that is not whole yet. */
  readonly heldBytes: number;
};

/** What a second message is cut down to. */
const emptyMessage = Buffer.alloc(headBytes);
/**
 * A part that is less than this part of what it was read with is copied, and lets go of the rest.
 */
const copiedPart = 1 / 4;

/**
 * Cuts the bytes of a stream between messages, so that what reads them after this never holds parts
 * of one. Linear in bytes and frames; a chunk that has whole messages only is handed on as it came.
 */
export function createMessageSplitter(options: SplitterOptions): MessageSplitter {
  const { maxBytes, isSingle, isOneByOne } = options;
  const partial = createAccumulator(headBytes + maxBytes);
  /** Of the message that `partial` is the begin of, its head included; once that is known. */
  let wanted: number | undefined;
  let frames = 0;
  let messages = 0;
  let isFragmented = false;
  let isOver = false;
  const isDone = (): boolean => isOver || isFragmented;

  /** Counts a message, and says whether it may be handed on as it is. */
  const admit = (): boolean => {
    messages += 1;
    if (!isSingle || messages === 1) return true;
    isOver = true;
    return false;
  };
  /** Up to the end of the message whose begin is held; where the rest of the chunk begins. */
  const complete = (chunk: Buffer, parts: Buffer[]): number => {
    frames += 1;
    const held = partial.length;
    if (wanted === undefined && held + chunk.length >= headBytes) {
      wanted = headBytes + readSize(partial.peek(), chunk);
    }
    const used = Math.min(chunk.length, (wanted ?? headBytes) - held);
    const isTooLarge = wanted !== undefined && wanted > headBytes + maxBytes;
    partial.append(chunk.subarray(0, isTooLarge ? Math.min(used, headBytes - held) : used));
    if (isTooLarge) isOver = true;
    if (isTooLarge || partial.length === wanted) {
      parts.push(admit() ? partial.take() : emptyMessage);
      wanted = undefined;
      frames = 0;
    } else isFragmented = frames > maxFramesOf(partial.length);
    return used;
  };
  /** The whole messages in a chunk from here on; where they end. */
  const passWhole = (chunk: Buffer, from: number, parts: Buffer[]): number => {
    let at = from;
    let start = from;
    const pass = (): void => {
      if (at > start) parts.push(release(chunk, start, at));
      start = at;
    };
    while (!isOver && chunk.length - at >= headBytes) {
      const next = at + headBytes + chunk.readUInt32BE(at + 1);
      if (next - at > headBytes + maxBytes || next > chunk.length) break;
      if (admit()) at = next;
      else {
        pass();
        parts.push(emptyMessage);
      }
      if (isOneByOne) pass();
    }
    pass();
    return at;
  };
  return {
    add: (chunk) => {
      const parts: Buffer[] = [];
      if (isDone()) return parts;
      let at = partial.length > 0 ? complete(chunk, parts) : 0;
      if (!isDone() && partial.length === 0) at = passWhole(chunk, at, parts);
      if (!isDone() && at < chunk.length) complete(chunk.subarray(at), parts);
      return parts;
    },
    get isFragmented() {
      return isFragmented;
    },
    get heldBytes() {
      return partial.length;
    },
  };
}

function release(chunk: Buffer, start: number, end: number): Buffer {
  const part = chunk.subarray(start, end);
  return part.length < chunk.buffer.byteLength * copiedPart ? Buffer.from(part) : part;
}
