/** Bytes that come in chunks, in one buffer. */
export type Accumulator = {
  readonly length: number;
  append(bytes: Buffer): void;
  /** What has been appended so far; only valid until the next `append`. */
  peek(): Buffer;
  /** What has been appended, and nothing any more. */
  take(): Buffer;
};

const leastBytes = 256;

/**
 * Copies chunks into one buffer that doubles when it is full: a byte is copied at most three times,
 * however many chunks there are, and a chunk of one byte takes one byte. Kept as it came, it would
 * take an object, and hold all of what was read from the connection with it. `maxBytes` bounds the
 * buffer's growth; more than that must not be appended.
 */
export function createAccumulator(maxBytes: number): Accumulator {
  let buffer = Buffer.alloc(0);
  let length = 0;
  return {
    get length() {
      return length;
    },
    append: (bytes) => {
      const needed = length + bytes.length;
      if (needed > buffer.length) {
        const size = Math.max(needed, Math.min(maxBytes, Math.max(leastBytes, 2 * buffer.length)));
        const larger = Buffer.allocUnsafeSlow(size);
        buffer.copy(larger, 0, 0, length);
        buffer = larger;
      }
      bytes.copy(buffer, length);
      length = needed;
    },
    peek: () => buffer.subarray(0, length),
    take: () => {
      const taken = buffer.subarray(0, length);
      buffer = Buffer.alloc(0);
      length = 0;
      return taken;
    },
  };
}
