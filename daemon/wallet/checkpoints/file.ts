import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import type { Db } from '../../platform/db/db.ts';
import { createPublicError } from '../../platform/progress/public-error.ts';
import { listAfter, type StoredCheckpoint } from './store.ts';

/** A file on this host that has the text and signature of each checkpoint. */
export type CheckpointFile = {
  /** Appends the checkpoints that the file does not have yet, whichever daemon took them. */
  follow(db: Db, signal?: AbortSignal): Promise<void>;
};

/** The text of a checkpoint and its signature, as in an export. */
export const formatSigned = ({ text, signature }: Pick<StoredCheckpoint, 'text' | 'signature'>) =>
  `${text}signature ${signature}\n`;

const perRound = 100;

/**
 * Not through a link; synced before it resolves. A new file gets all checkpoints. One that is moved
 * elsewhere while the daemon runs is gone on with in a new file.
 */
export function createCheckpointFile(path: string): CheckpointFile {
  let lastNumber: bigint | undefined;
  return {
    follow: async (db, signal) => {
      lastNumber ??= await inFile(path, findLastNumber);
      while (!signal?.aborted) {
        const after: bigint = lastNumber;
        const added = await db.read((tx) => listAfter(tx, after, perRound));
        if (added.length === 0) return;
        const text = added.map((checkpoint) => `${formatSigned(checkpoint)}\n`).join('');
        await inFile(path, (file) => append(file, text));
        lastNumber = added.at(-1)?.number ?? lastNumber;
      }
    },
  };
}

const { O_APPEND, O_CREAT, O_RDWR, O_NOFOLLOW } = constants;

async function inFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, O_APPEND | O_CREAT | O_RDWR | O_NOFOLLOW, 0o644);
    return await work(file);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw createPublicError(`the file of CHECKPOINT_FILE cannot be written (${code})`);
  } finally {
    await file?.close();
  }
}

async function append(file: FileHandle, text: string): Promise<void> {
  const { size } = await file.stat();
  // What a crash has cut off must not become part of the next one.
  const isWhole = size === 0 || (await readTail(file, size, 2)) === '\n\n';
  await file.appendFile(isWhole ? text : `\n\n${text}`);
  await file.sync();
}

/** Longer than several checkpoints. */
const tailBytes = 16 * 1024;
const wholePattern = /^number (\d{1,18})\n(?:[a-z]+ \S+\n)+?signature \S+\n\n/gm;

/** Of the last checkpoint that is there from beginning to end; 0 if none is. */
async function findLastNumber(file: FileHandle): Promise<bigint> {
  const { size } = await file.stat();
  const tail = await readTail(file, size, tailBytes);
  return BigInt([...tail.matchAll(wholePattern)].at(-1)?.[1] ?? 0);
}

async function readTail(file: FileHandle, size: number, length: number): Promise<string> {
  const buffer = Buffer.alloc(Math.min(size, length));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
  return buffer.toString('latin1', 0, bytesRead);
}
