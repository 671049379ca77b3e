import { createPublicKey } from 'node:crypto';

import { quoteForShell } from '../../../../core/shell-word.ts';
import type { ProvedClaim } from '../../../../core/statement-proof/index.ts';
import type { Context } from '../../../context.ts';
import { fail, failUsage, succeed, type Outcome } from '../../../outcome.ts';
import { openForReading } from './files.ts';
import { readKnownKeys } from './known-keys.ts';

/** Why the key of a checkpoint is taken for the server's. */
export type KeyTrust =
  | { readonly origin: 'given'; readonly file: string }
  | { readonly origin: 'known'; readonly server: string; readonly seenAt: string };

type Seal = ProvedClaim['seal'];

/** A key is about 120 bytes. */
const maxKeyFileBytes = 64 * 1024;

/**
 * Whose the key of a checkpoint is: one of those in a file that the reader names, or else one that
 * a server gave on a connection of `export --proof`. The key in the proof proves nothing by itself:
 * a forger would put their own there. PROOF_KEY_UNKNOWN.
 */
export async function findTrust(
  context: Context,
  seal: Seal,
  keyFile: string | undefined,
): Promise<Outcome<KeyTrust>> {
  if (keyFile !== undefined) {
    const keys = await readKeys(keyFile);
    if (!keys.ok) return keys;
    if (keys.value.includes(seal.publicKey)) return succeed({ origin: 'given', file: keyFile });
    return failUnknownKey(seal, `is not in ${quoteForShell(keyFile)}`);
  }
  const known = await readKnownKeys(context);
  const found = known.find(({ publicKey }) => publicKey === seal.publicKey);
  if (found) return succeed({ origin: 'known', server: found.server, seenAt: found.seenAt });
  return failUnknownKey(seal, 'is not known here');
}

const failUnknownKey = ({ keyId }: Seal, why: string): Outcome<never> =>
  fail(
    'PROOF_KEY_UNKNOWN',
    `not proved: file, chain and signature agree, but the key ${keyId} of the signature ${why}`,
    {
      field: 'key',
      hint: "get the server's public key from its operator (walletd checkpoint key), then: --key FILE",
    },
  );

/** The public keys of a file, each as SPKI in PEM. */
async function readKeys(path: string): Promise<Outcome<readonly string[]>> {
  const opened = await openForReading(path, 'key');
  if (!opened.ok) return opened;
  try {
    const { size } = await opened.value.stat();
    if (size > maxKeyFileBytes) return failUsage('key', `${path} is too large for public keys`);
    const text = await opened.value.readFile('utf8');
    const blocks = text.match(/-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g) ?? [];
    if (blocks.length === 0) return failUsage('key', `${path} has no public key in PEM`);
    const keys = blocks.map(readKey);
    const valid = keys.filter((key) => key !== undefined);
    if (valid.length === keys.length) return succeed(valid);
    return failUsage('key', `${path} has a public key that cannot be read`);
  } finally {
    await opened.value.close();
  }
}

function readKey(pem: string): string | undefined {
  try {
    return createPublicKey(pem).export({ type: 'spki', format: 'pem' }).toString();
  } catch {
    return undefined;
  }
}
