import fs from 'node:fs';

const stderrFd = 2;
/** A reader that is behind (a pipe that is full) is waited for so often, and so long each time. */
const maxWaits = 50;
const waitMs = 10;

const sleeper = new Int32Array(new SharedArrayBuffer(4));
/** It did not read for all that time: it is not waited for again until it does. */
let isStuck = false;
/** A line was cut off: the next begins a new one. */
let isCut = false;

/**
 * Writes to standard error at once. What cannot be written (the reader has gone, the disk is full,
 * the terminal is closed) is dropped: a daemon does not end because its log cannot be written.
 */
export function writeStderr(text: string): void {
  const bytes = Buffer.from(isCut ? `\n${text}` : text);
  const written = writeWhole(bytes);
  if (written > 0) isCut = written < bytes.length;
}

/** How many bytes got out. */
function writeWhole(bytes: Buffer): number {
  let offset = 0;
  let waits = 0;
  while (offset < bytes.length) {
    try {
      offset += fs.writeSync(stderrFd, bytes, offset, bytes.length - offset);
      isStuck = false;
    } catch (err) {
      const code = err instanceof Error && 'code' in err ? err.code : undefined;
      if (code === 'EINTR') continue;
      if (code !== 'EAGAIN' || isStuck) return offset;
      waits += 1;
      isStuck = waits >= maxWaits;
      Atomics.wait(sleeper, 0, 0, waitMs);
    }
  }
  return offset;
}
