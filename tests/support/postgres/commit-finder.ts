/** What a message of COMMIT says of its length: that itself (4), six letters, and a zero. */
const commitLength = 11;
const headBytes = 5;

/**
 * Follows one direction of a Postgres connection: `Q`, what a client sends, or `C`, what it is
 * answered. Gives where in a chunk a message begins that has the length of COMMIT or its answer
 * (0 if it began in an earlier chunk); undefined if none does. Only COMMIT has that length.
 */
export function createCommitFinder(type: 'Q' | 'C'): (chunk: Buffer) => number | undefined {
  // A client's first message has no type, only a length.
  let isFirst = type === 'Q';
  let head: Buffer = Buffer.alloc(0);
  let leftBytes = 0;
  return (chunk) => {
    let found: number | undefined;
    for (let at = 0; at < chunk.length;) {
      const skipped = Math.min(leftBytes, chunk.length - at);
      leftBytes -= skipped;
      at += skipped;
      const wanted = (isFirst ? headBytes - 1 : headBytes) - head.length;
      const piece = chunk.subarray(at, at + wanted);
      if (piece.length === 0) break;
      const beganAt = Math.max(0, at - head.length);
      head = Buffer.concat([head, piece]);
      at += piece.length;
      if (piece.length < wanted) break;
      const length = head.readUInt32BE(isFirst ? 0 : 1);
      if (!isFirst && head.toString('latin1', 0, 1) === type && length === commitLength) {
        found ??= beganAt;
      }
      leftBytes = length - 4;
      isFirst = false;
      head = Buffer.alloc(0);
    }
    return found;
  };
}
