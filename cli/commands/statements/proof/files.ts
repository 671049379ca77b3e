import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import {
  verifyStatement,
  type FileSource,
  type ProofFault,
  type ProofSource,
  type ProvedClaim,
} from '../../../../core/statement-proof/index.ts';
import { failUsage, succeed, type Outcome } from '../../../outcome.ts';

/** The proof of a statement's file stands beside it. */
export const proofPathOf = (file: string): string => `${file}.proof.json`;

const blockBytes = 256 * 1024;

/** What came of checking a file against its proof. */
export type Verdict =
  | { readonly ok: true; readonly value: ProvedClaim }
  | { readonly ok: false; readonly fault: ProofFault };

/** Checks the file against the proof: everything but whose the key is. Constant memory. */
export async function verifyFiles(file: string, proof: string): Promise<Outcome<Verdict>> {
  const opened = await openForReading(file, 'file');
  if (!opened.ok) return opened;
  try {
    const proofOpened = await openForReading(proof, 'proof');
    if (!proofOpened.ok) return proofOpened;
    try {
      const verdict = await verifyStatement(
        createProofSource(proofOpened.value),
        createFileSource(opened.value),
      );
      return succeed(verdict);
    } finally {
      await proofOpened.value.close();
    }
  } finally {
    await opened.value.close();
  }
}

/** A regular file; one that cannot be read is a failure of the option that named it. */
export async function openForReading(path: string, field: string): Promise<Outcome<FileHandle>> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : message;
    return failUsage(field, `cannot read ${path}: ${why}`);
  }
  if ((await handle.stat()).isFile()) return succeed(handle);
  await handle.close();
  return failUsage(field, `cannot read ${path}: it is not a regular file`);
}

/** The next bytes of a file with each call. */
function createFileSource(handle: FileHandle): FileSource {
  let position = 0;
  return {
    read: async (maxBytes) => {
      const bytes = await readAt(handle, position, maxBytes);
      position += bytes.length;
      return bytes;
    },
  };
}

function createProofSource(handle: FileHandle): ProofSource {
  return async function* () {
    for (let position = 0; ;) {
      const bytes = await readAt(handle, position, blockBytes);
      if (bytes.length === 0) return;
      position += bytes.length;
      yield bytes;
    }
  };
}

async function readAt(handle: FileHandle, position: number, maxBytes: number): Promise<Buffer> {
  const block = Buffer.allocUnsafe(maxBytes);
  const { bytesRead } = await handle.read(block, 0, maxBytes, position);
  return block.subarray(0, bytesRead);
}
