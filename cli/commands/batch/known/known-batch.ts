import { createHash, hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import type { FileLock } from '../../../../lib/file-lock.ts';
import { syncFolder } from '../../../../lib/files.ts';
import {
  makePrivateDir,
  openOwnFile,
  parseJsonObject,
  readTextIfAny,
  writePrivateFile,
  writeWhole,
} from '../../../files/files.ts';
import { notSent } from '../../../files/storage-failure.ts';
import { succeed, type Outcome } from '../../../outcome.ts';
import { LockLostError } from '../results/files.ts';
import { createDigestTable, type DigestTable } from '../rows/digest-table.ts';

/** How the rows of a file compare with what was paid before under its batch id. */
export type Comparison = {
  /** Keys that were paid before. */
  readonly paid: number;
  /** Of those, how many no row of the file has. */
  readonly missing: number;
  /** Valid rows of the file that were not paid before. */
  readonly fresh: number;
  /** Rows of the file of the last run that were not paid. */
  readonly unpaid: number;
  /** The last run did not end in order, and the rows are others now. */
  readonly isChangedInDoubt: boolean;
};

/**
 * What is known on this machine of a batch id: the keys that were paid under it, and the file of
 * its last run.
 */
export type KnownBatch = {
  /** A valid row of the file, by its key, in order. True if it was paid before. */
  see(key: string): boolean;
  /** After all rows of the file were seen. */
  compare(): Comparison;
  /** Before the first row is sent; `rows` counts the invalid ones too. Durable. */
  begin(rows: number): Promise<Outcome<undefined>>;
  /** Keys that are paid. Durable. */
  addPaid(keys: readonly string[]): Promise<void>;
  /** After the last result: no row is without a known outcome. Durable. */
  end(): Promise<Outcome<undefined>>;
  close(): Promise<void>;
};

/** What names a batch: the same id of another server or caller is another batch. */
export type BatchName = {
  readonly server: string;
  readonly caller: string;
  readonly batchId: string;
};

export const hashBatchName = ({ server, caller, batchId }: BatchName): string =>
  hash('sha256', JSON.stringify([1, server, caller, batchId])).slice(0, 32);

const keyBytes = 8;
const [paidBefore, seen] = [1, 2];

const digestOf = (key: string): string => hash('sha256', key).slice(0, 2 * keyBytes);

/**
 * Opens the record of a batch in a folder: `ID.json`, and `ID.paid` with 8 bytes for each key. In
 * memory a key takes 12 bytes.
 */
export async function openKnownBatch(
  dir: string,
  name: BatchName,
  lock: Pick<FileLock, 'isHeld'>,
): Promise<Outcome<KnownBatch>> {
  const path = join(dir, hashBatchName(name));
  const last = readLast(await readTextIfAny(`${path}.json`));
  // Nothing is created before a row is sent.
  const opened = last ? await openOwnFile(`${path}.paid`, 'batch-id') : undefined;
  if (opened?.ok === false) return opened;
  let file = opened?.value.file;
  const table = createDigestTable();
  let bytes = file ? await loadPaid(file, table) : 0;
  const paid = table.size();
  const keys = createHash('sha256');
  let fresh = 0;
  let record: Last | undefined;
  const write = (next: Last): Promise<Outcome<undefined>> => {
    record = next;
    return writePrivateFile(`${path}.json`, `${JSON.stringify({ ...name, ...next })}\n`);
  };
  const countMissing = (): number => count(table.values(), paidBefore);
  return succeed({
    see: (key) => {
      keys.update(`${key}\n`);
      const digest = digestOf(key);
      const wasPaid = table.get(digest) !== 0;
      if (wasPaid) table.set(digest, seen);
      else fresh += 1;
      return wasPaid;
    },
    compare: () => {
      const isChanged = last !== undefined && last.digest !== keys.copy().digest('hex');
      const [missing, unpaid] = [countMissing(), last ? last.rows - (paid - last.missing) : 0];
      return { paid, missing, fresh, unpaid, isChangedInDoubt: isChanged && last.isOpen };
    },
    begin: async (rows) => {
      const folder = await makePrivateDir(dir, notSent);
      if (!folder.ok) return folder;
      if (!file) {
        const made = await openOwnFile(`${path}.paid`, 'batch-id');
        if (!made.ok) return made;
        ({ file } = made.value);
        await file.truncate(0);
      }
      const digest = keys.copy().digest('hex');
      const written = await write({ rows, missing: countMissing(), digest, isOpen: true });
      if (!written.ok) return written;
      await syncFolder(dir);
      return succeed(undefined);
    },
    addPaid: async (paidKeys) => {
      const digests = paidKeys.map(digestOf).filter((digest) => table.get(digest) === 0);
      if (digests.length === 0 || !file) return;
      for (const digest of digests) table.set(digest, seen);
      const data = Buffer.from(digests.join(''), 'hex');
      if (!(await lock.isHeld())) throw new LockLostError(path);
      await writeWhole(file, data, bytes);
      bytes += data.length;
      await file.datasync();
    },
    end: async () => (record ? write({ ...record, isOpen: false }) : succeed(undefined)),
    close: async () => {
      await file?.close();
    },
  });
}

/** The file of the last run under a batch id. */
type Last = {
  readonly rows: number;
  /** Of the keys that had been paid before it, how many its rows did not have. */
  readonly missing: number;
  /** Of the keys of its rows, in order. */
  readonly digest: string;
  /** Some rows may have been sent without a known outcome. */
  readonly isOpen: boolean;
};

function readLast(text: string | undefined): Last | undefined {
  const last = parseJsonObject(text ?? '') as Partial<Last> | undefined;
  const { rows, missing, digest, isOpen } = last ?? {};
  if (typeof rows !== 'number' || typeof missing !== 'number') return undefined;
  return { rows, missing, digest: digest ?? '', isOpen: isOpen ?? true };
}

const blockBytes = 64 * 1024;

/** Reads all keys; where whole ones end, the next are written. */
async function loadPaid(file: FileHandle, table: DigestTable): Promise<number> {
  const block = Buffer.alloc(blockBytes);
  for (let at = 0; ;) {
    const { bytesRead } = await file.read(block, 0, blockBytes, at);
    const whole = bytesRead - (bytesRead % keyBytes);
    if (whole === 0) return at;
    for (let from = 0; from < whole; from += keyBytes) {
      table.set(block.toString('hex', from, from + keyBytes), paidBefore);
    }
    at += whole;
  }
}

function count(values: Iterable<number>, wanted: number): number {
  let found = 0;
  for (const value of values) if (value === wanted) found += 1;
  return found;
}
