import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import type { Context } from '../../../context.ts';
import { makePrivateDir } from '../../../files/files.ts';
import { fail, failUsage, succeed, type Outcome } from '../../../outcome.ts';
import { InputError } from './raw-row.ts';

/** The input of a batch. It is read more than once: all is checked before anything is sent. */
export type BatchInput = {
  readonly sizeBytes: number;
  /** It came through a pipe: it may be cut off. */
  readonly isPiped: boolean;
  /** All of it, from the beginning. Throws InputError if the file has changed since it was opened. */
  read(): AsyncIterable<Buffer>;
  /** Throws InputError if the file has changed since it was opened. */
  checkUnchanged(): Promise<void>;
  close(): Promise<void>;
};

const blockBytes = 256 * 1024;

/**
 * Opens a file, or `-`. What comes through a pipe is kept in a file without a name in the state
 * folder: the system removes it when this process ends, however it ends.
 */
export async function openBatchInput(
  { io, environment }: Pick<Context, 'io' | 'environment'>,
  path: string,
): Promise<Outcome<BatchInput>> {
  const spoolDir = join(environment.paths.stateDir, 'batches');
  if (path === '-') return spool(io.stdin as AsyncIterable<Buffer | string>, spoolDir);
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY);
  } catch (error) {
    return failUsage('file', `cannot read ${path}: ${describe(error as NodeJS.ErrnoException)}`);
  }
  const stats = await file.stat();
  if (stats.isFile()) return succeed(toInput(file, stats, false));
  if (!stats.isDirectory()) return spool(file.createReadStream({ autoClose: true }), spoolDir);
  await file.close();
  return failUsage('file', `cannot read ${path}: it is a folder`);
}

const describe = ({ code, message }: NodeJS.ErrnoException): string =>
  code === 'ENOENT' ? 'there is no such file' : message;

async function spool(
  stream: AsyncIterable<Buffer | string>,
  dir: string,
): Promise<Outcome<BatchInput>> {
  let file: FileHandle;
  try {
    file = await createNameless(dir);
  } catch (error) {
    return failSpool(dir, error as Error);
  }
  const read = readChunks(stream);
  for (;;) {
    const chunk = await read();
    if (chunk instanceof Error) {
      await file.close();
      return failUsage('file', `cannot read the input: ${chunk.message}; nothing was sent`);
    }
    if (!chunk) return succeed(toInput(file, await file.stat(), true));
    try {
      await file.appendFile(chunk);
    } catch (error) {
      await file.close();
      return failSpool(dir, error as Error);
    }
  }
}

/** The next chunk, undefined at the end, or why there is none. */
function readChunks(stream: AsyncIterable<Buffer | string>) {
  const iterator = stream[Symbol.asyncIterator]();
  return async (): Promise<Buffer | Error | undefined> => {
    try {
      const next = await iterator.next();
      return next.done ? undefined : Buffer.from(next.value as string);
    } catch (error) {
      return error as Error;
    }
  };
}

async function createNameless(dir: string): Promise<FileHandle> {
  const made = await makePrivateDir(dir);
  if (!made.ok) throw new Error(made.failure.message);
  const path = join(dir, `input-${randomBytes(8).toString('hex')}.tmp`);
  const file = await open(path, 'wx+', 0o600);
  await rm(path);
  return file;
}

const failSpool = (dir: string, { message }: Error) =>
  fail('OUTPUT_FAILED', `cannot keep the input in ${dir}: ${message}; nothing was sent`, {
    hint: 'give the rows as a file, or name another folder with WALLET_STATE_DIR',
  });

function toInput(file: FileHandle, first: Stats, isPiped: boolean): BatchInput {
  const checkUnchanged = async (): Promise<void> => {
    const stats = await file.stat();
    if (stats.size !== first.size || stats.mtimeMs !== first.mtimeMs) {
      throw new InputError('the file has changed while it was read; run the command again');
    }
  };
  return {
    sizeBytes: first.size,
    isPiped,
    checkUnchanged,
    read: async function* () {
      for (let at = 0; ;) {
        const block = Buffer.allocUnsafe(blockBytes);
        const { bytesRead } = await file.read(block, 0, blockBytes, at);
        await checkUnchanged();
        if (bytesRead === 0) return;
        at += bytesRead;
        yield block.subarray(0, bytesRead);
      }
    },
    close: () => file.close(),
  };
}
