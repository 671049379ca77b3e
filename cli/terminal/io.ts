import { fstatSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { getSystemErrorMap } from 'node:util';

import { decodeUtf8 } from '../../core/text.ts';

/** A stream of text out of the process, and what is known about its reader. */
export type TextOutput = {
  readonly isTerminal: boolean;
  /** Width in characters; undefined if it is no terminal. */
  readonly columns: number | undefined;
  /**
   * Resolves once the text is on its way, so that a slow reader slows the writer down; never
   * rejects. `fault` says whether it was written.
   */
  write(text: string): Promise<void>;
  /** Why nothing more gets out; undefined as long as everything did. */
  readonly fault: WriteFault | undefined;
};

/**
 * `closed`: the reader has gone, as in `| head -1`, which is all right; `failed`: text was lost.
 */
export type WriteFault = { readonly kind: 'closed' | 'failed'; readonly message: string };

/** Everything through which a command meets its user. Tests put one of their own in its place. */
export type Io = {
  readonly stdin: Readable;
  readonly isStdinTerminal: boolean;
  /** Data only. */
  readonly stdout: TextOutput;
  /** Errors, warnings, prompts, hints. */
  readonly stderr: TextOutput;
};

/** The process's own streams. */
export function openProcessIo(): Io {
  const { stdin, stdout, stderr } = process;
  return {
    // Not touched before it is needed: opening a terminal for reading has effects of its own.
    get stdin() {
      return stdin;
    },
    isStdinTerminal: process.stdin.isTTY,
    stdout: toTextOutput(stdout),
    stderr: toTextOutput(stderr),
  };
}

function toTextOutput(stream: NodeJS.WriteStream & { readonly fd: number }): TextOutput {
  let fault: WriteFault | undefined;
  const note = (error: NodeJS.ErrnoException | null | undefined): void => {
    if (error) fault ??= toWriteFault(error);
  };
  stream.on('error', note);
  const isFile = !stream.isTTY && isRegularFile(stream.fd);
  return {
    get fault() {
      return fault;
    },
    isTerminal: stream.isTTY,
    get columns() {
      return stream.isTTY ? stream.columns : undefined;
    },
    write: (text) =>
      new Promise((resolve) => {
        if (fault) {
          resolve();
          return;
        }
        // Some streams throw, others tell their callback, and not always with an event.
        try {
          if (isFile) {
            writeWhole(stream.fd, text);
            resolve();
            return;
          }
          stream.write(text, (error) => {
            note(error);
            resolve();
          });
        } catch (error) {
          note(error as NodeJS.ErrnoException);
          resolve();
        }
      }),
  };
}

/**
 * A file system that is almost full takes a part of what it is given, and the stream would not say.
 */
function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length;) {
    offset += writeSync(fd, bytes, offset, bytes.length - offset);
  }
}

function isRegularFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}

function toWriteFault({ code, errno, message }: NodeJS.ErrnoException): WriteFault {
  const described = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  return {
    kind: code === 'EPIPE' ? 'closed' : 'failed',
    message: described === undefined ? message : `${described} (${code ?? ''})`,
  };
}

/**
 * The first `count` lines of a stream, without their ends and a byte order mark, for secrets that
 * are piped in; fewer where it has fewer. A line that is not UTF-8 is undefined. At most 64 KiB.
 */
export async function readFirstLines(
  stream: Readable,
  count: number,
): Promise<(string | undefined)[]> {
  const limitBytes = 65_536;
  const chunks: Buffer[] = [];
  let size = 0;
  let lineEnds = 0;
  for await (const chunk of stream as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk as string);
    chunks.push(bytes);
    size += bytes.length;
    lineEnds += countLineEnds(bytes);
    if (lineEnds >= count || size >= limitBytes) break;
  }
  // Split as bytes: what follows the lines is not looked at.
  const lines = Buffer.concat(chunks).toString('latin1').split('\n', count);
  return lines.map((line) => decodeUtf8(Buffer.from(line, 'latin1'))?.replace(/\r$/, ''));
}

const countLineEnds = (bytes: Buffer): number => bytes.filter((byte) => byte === 0x0a).length;

/** A stream to its end, or undefined if it has more than `limitBytes`. */
export async function readBounded(
  stream: Readable,
  limitBytes: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk as string);
    size += bytes.length;
    if (size > limitBytes) return undefined;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
