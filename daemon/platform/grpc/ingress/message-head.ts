/** A flag for compression, and the length in four bytes. */
export const headBytes = 5;

/**
 * The most DATA frames for so many bytes. Clients and proxies send frames of 16 KiB, of a TCP
 * segment at least, and a few that are smaller. A short message may be sent byte by byte; a long
 * one may not, since each frame costs 2 µs.
 */
export const maxFramesOf = (bytes: number): number => 1_024 + bytes / 32;

/** The length in a message's head, whose first bytes may have come `before`. */
export function readSize(before: Buffer | undefined, chunk: Buffer): number {
  if (!before || before.length === 0) return chunk.readUInt32BE(1);
  const head = Buffer.alloc(headBytes);
  before.copy(head);
  chunk.copy(head, before.length);
  return head.readUInt32BE(1);
}
