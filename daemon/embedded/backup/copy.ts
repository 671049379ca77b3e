import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { codeOf } from '../../../lib/error-code.ts';

/** What was written: its length in bytes, and its SHA-256 in hex. */
export type Written = { readonly bytes: number; readonly sha256: string };

/** Why a file was not copied. */
export type NotCopied = 'gone' | 'foreign';

export type CopyOptions = {
  /** Users whose files are read: a file of another is `foreign`, and so is a link. */
  readonly owners: readonly number[] | 'all';
  /** Owner of the copy, if it is not the user of this process. */
  readonly newOwner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly signal: AbortSignal;
  /** Called with the length of each part that was written. */
  readonly onBytes: (bytes: number) => void;
};

const chunkBytes = 1024 * 1024;
/** No link is followed, and a pipe does not block. */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** A file that is written while it is read settles within a few reads. */
const maxReads = 100;

/**
 * Copies a file to a place where there is none yet (mode 0600), and flushes it to the disk. Copies
 * what the file has when it is opened, not what is added later. Rejects with the error of the file
 * system, and with the signal's reason; a partial copy is the caller's to remove.
 */
export async function copyFile(
  from: string,
  to: string,
  options: CopyOptions,
): Promise<Written | NotCopied> {
  return await withSource(from, options, async (source, size) => {
    return await withTarget(to, options, async (target) => {
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(1, size)));
      let bytes = 0;
      while (bytes < size) {
        options.signal.throwIfAborted();
        const length = Math.min(buffer.length, size - bytes);
        const { bytesRead } = await source.read(buffer, 0, length, null);
        if (bytesRead === 0) break;
        const part = buffer.subarray(0, bytesRead);
        hash.update(part);
        await target.writeFile(part);
        bytes += bytesRead;
        options.onBytes(bytesRead);
      }
      return { bytes, sha256: hash.digest('hex') };
    });
  });
}

/**
 * The same for a small file that another process overwrites in place: copies a content that two
 * reads found. `pg_control` has a checksum, and a server does not start with a mixture of two.
 */
export async function copyUnchanged(
  from: string,
  to: string,
  options: CopyOptions,
): Promise<Written | NotCopied> {
  const content = await withSource(from, options, async (source, size) => {
    let last: Buffer | undefined;
    for (let reads = 0; reads < maxReads; reads += 1) {
      options.signal.throwIfAborted();
      const buffer = Buffer.alloc(size);
      const { bytesRead } = await source.read(buffer, 0, size, 0);
      const now = buffer.subarray(0, bytesRead);
      if (last?.equals(now) === true) return now;
      last = now;
    }
    throw new Error(`${from} changes all the time`);
  });
  return typeof content === 'string' ? content : await writeNew(to, content, options);
}

/** Writes a file that must not exist yet (0600), and flushes it to the disk. */
export async function writeNew(
  to: string,
  content: Buffer,
  options: Pick<CopyOptions, 'newOwner' | 'onBytes'>,
): Promise<Written> {
  return await withTarget(to, options, async (target) => {
    await target.writeFile(content);
    options.onBytes(content.length);
    return {
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    };
  });
}

/** The SHA-256 and length of a file, in constant memory. Follows no link. */
export async function digestFile(file: string, signal: AbortSignal): Promise<Written> {
  const handle = await open(file, readFlags);
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(chunkBytes);
    let bytes = 0;
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

async function withSource<T>(
  from: string,
  { owners }: CopyOptions,
  work: (source: FileHandle, size: number) => Promise<T>,
): Promise<T | NotCopied> {
  let source: FileHandle;
  try {
    source = await open(from, readFlags);
  } catch (err) {
    if (codeOf(err) === 'ENOENT') return 'gone';
    if (codeOf(err) === 'ELOOP') return 'foreign';
    throw err;
  }
  try {
    const stats = await source.stat();
    if (!stats.isFile() || (owners !== 'all' && !owners.includes(stats.uid))) return 'foreign';
    return await work(source, stats.size);
  } finally {
    await source.close();
  }
}

async function withTarget<T>(
  to: string,
  { newOwner }: Pick<CopyOptions, 'newOwner'>,
  work: (target: FileHandle) => Promise<T>,
): Promise<T> {
  const target = await open(to, 'wx', 0o600);
  try {
    const done = await work(target);
    if (newOwner) await target.chown(newOwner.uid, newOwner.gid);
    await target.sync();
    return done;
  } finally {
    await target.close();
  }
}

/** Several files at a time: each is flushed to the disk, which takes longer than to copy it. */
const workers = 8;

/** Works on several items at a time. After a failure no more is begun, and all have ended. */
export async function forEachAtOnce<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const pending = items.values();
  const failures: unknown[] = [];
  const run = async (): Promise<void> => {
    for (const item of pending) {
      if (failures.length > 0) return;
      await work(item).catch((err: unknown) => failures.push(err));
    }
  };
  await Promise.all(Array.from({ length: workers }, run));
  if (failures.length > 0) throw failures[0];
}
