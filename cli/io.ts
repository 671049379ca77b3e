import type { Readable } from 'node:stream';

/** A stream of text out of the process, and what is known about its reader. */
export type TextOutput = {
  readonly isTerminal: boolean;
  /** Width in characters; undefined where nobody looks at it. */
  readonly columns: number | undefined;
  /** Resolves once the text is on its way, so that a slow reader slows the writer down. */
  write(text: string): Promise<void>;
};

/** Everything through which a command meets its user. Tests put one of their own in its place. */
export type Io = {
  readonly stdin: Readable;
  readonly isStdinTerminal: boolean;
  /** Data only. */
  readonly stdout: TextOutput;
  /** Errors, warnings, prompts, hints. */
  readonly stderr: TextOutput;
};

/** The process's own streams. `onClosed` runs when nobody reads stdout any more (`| head -1`). */
export function openProcessIo(onClosed: () => void): Io {
  const { stdin, stdout, stderr } = process;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') onClosed();
    else throw error;
  });
  // Nobody is left to tell that stderr is gone.
  stderr.on('error', () => undefined);
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

function toTextOutput(stream: NodeJS.WriteStream): TextOutput {
  return {
    isTerminal: stream.isTTY,
    get columns() {
      return stream.isTTY ? stream.columns : undefined;
    },
    write: (text) =>
      new Promise((resolve) => {
        stream.write(text, () => {
          resolve();
        });
      }),
  };
}

/** The first line of a stream, without its end, for a secret that is piped in. At most 64 KiB. */
export async function readFirstLine(stream: Readable): Promise<string> {
  const limitBytes = 65_536;
  let bytes = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer | string>) {
    bytes = Buffer.concat([bytes, Buffer.from(chunk as string)]);
    if (bytes.includes(0x0a) || bytes.length >= limitBytes) break;
  }
  return (bytes.toString('utf8').split('\n', 1)[0] ?? '').replace(/\r$/, '');
}

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
