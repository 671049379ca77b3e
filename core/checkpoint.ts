import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';

import { writeHex, writeUuid } from './bytes.ts';
import { isUuid } from './ids.ts';
import { leafHash } from './merkle.ts';

/** What the ledger was at one moment: the root over the last transaction of every wallet. */
export type Checkpoint = {
  /** The ledger: the same in all of its checkpoints. */
  readonly origin: string;
  /** 1 for the first, then without a gap. */
  readonly number: bigint;
  /** By the database's clock. */
  readonly timeMs: number;
  /** Wallets: the leaves of the tree. */
  readonly size: bigint;
  /** 64 hex digits. */
  readonly root: string;
  /** Of all wallets together. */
  readonly transactions: bigint;
  /** The root of the checkpoint before; undefined for the first. */
  readonly previousRoot: string | undefined;
  readonly keyId: string;
};

const firstLine = 'digital-wallet checkpoint 1';

/** The text that is signed, byte by byte: UTF-8, each line ends with a line feed. */
export const formatCheckpoint = (checkpoint: Checkpoint): string =>
  `${firstLine}\n` +
  `origin ${checkpoint.origin}\n` +
  `number ${checkpoint.number}\n` +
  `time ${new Date(checkpoint.timeMs).toISOString()}\n` +
  `wallets ${checkpoint.size}\n` +
  `transactions ${checkpoint.transactions}\n` +
  `root ${checkpoint.root}\n` +
  `previous ${checkpoint.previousRoot ?? '-'}\n` +
  `key ${checkpoint.keyId}\n`;

const pattern = new RegExp(
  `^${firstLine}\\norigin (\\S{36})\\nnumber ([1-9]\\d{0,17})\\ntime (\\S{24})\\n` +
    'wallets (\\d{1,18})\\ntransactions (\\d{1,18})\\nroot ([0-9a-f]{64})\\n' +
    'previous (-|[0-9a-f]{64})\\nkey ([0-9a-f]{16})\\n$',
);

/** Undefined for a text that `formatCheckpoint` would not write. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const match = text.length > 1_000 ? null : pattern.exec(text);
  if (!match) return undefined;
  const [, origin = '', number = '', time = '', size = '', transactions = ''] = match;
  const [root = '', previous = '', keyId = ''] = match.slice(6);
  const timeMs = Date.parse(time);
  if (!isUuid(origin) || Number.isNaN(timeMs)) return undefined;
  const previousRoot = previous === '-' ? undefined : previous;
  const checkpoint: Checkpoint = {
    ...{ origin, number: BigInt(number), timeMs, size: BigInt(size), root },
    ...{ transactions: BigInt(transactions), previousRoot, keyId },
  };
  // One text for each checkpoint: what was signed is what was read.
  return formatCheckpoint(checkpoint) === text ? checkpoint : undefined;
}

/** A wallet's leaf: its id (16 bytes), seq (8 bytes, big-endian) and last hash (32 bytes). */
export function leafOf(walletId: string, seq: bigint, lastHash: string): Buffer {
  writeUuid(leaf, walletId);
  leaf.writeBigUInt64BE(seq, 16);
  writeHex(leaf, lastHash, 24);
  return leafHash(leaf);
}
const leaf = Buffer.alloc(16 + 8 + 32);

/** The name of a public key: the first 16 hex digits of SHA-256 over its SPKI in DER. */
export const keyIdOf = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);

/** An Ed25519 key of a PEM text, public or the public half of a private one; undefined if none. */
export function readPublicKey(pem: string): KeyObject | undefined {
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Base64 of 64 bytes. */
export const signCheckpoint = (text: string, key: KeyObject): string =>
  sign(null, Buffer.from(text), key).toString('base64');

/** False also for base64 that could be written in another way: a signature has one text. */
export function verifyCheckpoint(text: string, signature: string, key: KeyObject): boolean {
  const bytes = Buffer.from(signature, 'base64');
  return bytes.toString('base64') === signature && verify(null, Buffer.from(text), key, bytes);
}
