import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import { findSecretProblem, type FileFacts, type SecretReader } from '../../core/secret-file.ts';
import type { Fault, Outcome } from '../fault.ts';

/** A file as it was read, with what the system said of it while it was open. */
export type ReadFile = { readonly bytes: Buffer; readonly facts: FileFacts };

const maxBytes = 1024 * 1024;

/**
 * Reads a small file. A link is followed: Kubernetes shows secrets as links. Rejects as `open`
 * does.
 */
export async function readWithFacts(path: string): Promise<ReadFile> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const facts = await file.stat();
    if (facts.isDirectory()) {
      throw Object.assign(new Error(`EISDIR: ${path} is a folder`), { code: 'EISDIR' });
    }
    if (!facts.isFile()) return { bytes: Buffer.alloc(0), facts };
    const buffer = Buffer.alloc(Math.min(facts.size + 1, maxBytes));
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (length === maxBytes) throw Object.assign(new Error(`EFBIG: ${path}`), { code: 'EFBIG' });
      if (bytesRead === 0) return { bytes: buffer.subarray(0, length), facts };
    }
  } finally {
    await file.close();
  }
}

/** Why a file may not be used as the secret that `variable` names; undefined if it may. */
export function findSecretFault(
  variable: string,
  path: string,
  facts: FileFacts,
  reader: SecretReader,
): Fault | undefined {
  const found = findSecretProblem(path, facts, reader);
  if (!found) return undefined;
  const { problem, command } = found;
  return {
    fault: `${variable}: ${path} ${problem}`,
    hint:
      command === undefined
        ? 'name a file that only walletd may read'
        : `run: ${command}; if others had access, replace the secret, too`,
  };
}

/** The text of a secret that only its owner may read, or why it is not used. */
export async function readSecretText(
  variable: string,
  path: string,
  reader: SecretReader,
): Promise<Outcome<string>> {
  try {
    const { bytes, facts } = await readWithFacts(path);
    const fault = findSecretFault(variable, path, facts, reader);
    return fault ? { ok: false, fault } : { ok: true, value: bytes.toString('utf8') };
  } catch (err) {
    const why = err instanceof Error ? err.message : String(err);
    const hint = 'name a file that the daemon may read';
    return { ok: false, fault: { fault: `${variable}: ${why}`, hint } };
  }
}
