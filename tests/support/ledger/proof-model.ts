import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

import { chainHash, contentDigest, genesisHash, toChainedMore } from '../../../core/chain.ts';
import { formatCheckpoint, keyIdOf, signCheckpoint } from '../../../core/checkpoint.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { createStatementWriter } from '../../../core/statement-format/index.ts';
import {
  createProofWriter,
  type ProofEntry,
  type ProofPart,
  type ProvedFile,
} from '../../../core/statement-proof/index.ts';
import { makeLines } from './statement-model.ts';

/** A wallet with all its entries, as the ledger would have made them. */
type ModelWallet = {
  readonly walletId: string;
  readonly userId: string;
  readonly currency: string;
  readonly entries: readonly ProofEntry[];
};

/** Wallets that differ in everything, with random entries and texts of every kind. */
export function makeModelWallet(
  seed: number,
  count: number,
  startMs: number,
  make = makeLines,
): ModelWallet {
  const userId = `00000000-0000-4000-8000-${seed.toString(16).padStart(12, '0')}`;
  const currency = ['BRL', 'JPY', 'KWD'][seed % 3] ?? 'BRL';
  const walletId = walletIdOf(userId, currency);
  let hash = genesisHash(walletId, userId, currency);
  const entries = make(seed, count, startMs).map((line, i): ProofEntry => {
    const { transactionId: id, heldMinor, heldAfterMinor, ...shown } = line;
    const metadata = i % 4 === 1 ? { zeta: 'ação', '10': 'a', '9': `"${i}"` } : {};
    const parentId = i % 5 === 2 ? `00000000-0000-5000-8000-${'a'.repeat(12)}` : undefined;
    const chained = {
      ...shown,
      id,
      metadata,
      more: toChainedMore({
        ...{ held: heldMinor, heldAfter: heldAfterMinor, groupId: undefined },
        parentUsed: i % 7 === 3 ? BigInt(i) : undefined,
      }),
      parentId,
      source: i % 2 === 0 ? 'grpc' : 'message',
    };
    const fields = { ...chained, actor: i % 3 === 0 ? userId : 'shop' };
    hash = chainHash(hash, fields);
    return { ...fields, hash };
  });
  return { walletId, userId, currency, entries };
}

/** The wallet with changed entries, under hashes that match: what only the ledger itself could do. */
export function rechainModelWallet(
  wallet: ModelWallet,
  change: (entry: ProofEntry) => Partial<ProofEntry>,
): ModelWallet {
  let hash = genesisHash(wallet.walletId, wallet.userId, wallet.currency);
  const entries = wallet.entries.map((entry): ProofEntry => {
    const fields = { ...entry, ...change(entry) };
    hash = fields.hash === entry.hash ? chainHash(hash, fields) : fields.hash;
    return { ...fields, hash };
  });
  return { ...wallet, entries };
}

const sha256 = (...parts: readonly Buffer[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

/** RFC 6962, 2.1: the hash of a list of leaf hashes. */
function treeHash(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256();
  const [only] = leaves;
  if (leaves.length === 1 && only) return only;
  const split = splitOf(leaves.length);
  return sha256(Buffer.of(1), treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

/** RFC 6962, 2.1.1: the audit path of a leaf. */
function pathOf(index: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length <= 1) return [];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...pathOf(index, left), treeHash(right)]
    : [...pathOf(index - split, right), treeHash(left)];
}

/** The largest power of two below `length`. */
function splitOf(length: number): number {
  let split = 1;
  while (split * 2 < length) split *= 2;
  return split;
}

const leafOf = ({ walletId, entries, userId, currency }: ModelWallet, seq: number): Buffer => {
  const bytes = Buffer.alloc(24);
  bytes.write(walletId.replaceAll('-', ''), 'hex');
  bytes.writeBigUInt64BE(BigInt(seq), 16);
  const hash = entries[seq - 1]?.hash ?? genesisHash(walletId, userId, currency);
  return sha256(Buffer.of(0), bytes, Buffer.from(hash, 'hex'));
};

/** Which entries a statement has, and where the proof ends. */
export type ModelRange = {
  readonly file: ProvedFile;
  readonly timezone: string;
  readonly firstSeq: number;
  /** One less than `firstSeq` for a statement without lines. */
  readonly lastSeq: number;
  /** The wallet's last entry at the checkpoint. */
  readonly leafSeq: number;
  readonly hidesNeighbours: boolean;
  /** When the checkpoint was taken; default: just after the period. */
  readonly checkpointMs?: number;
};

/** A signing key of the model, as the proofs have it. */
export const createModelKey = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
};

type ModelKey = { readonly privateKey: KeyObject; readonly publicKey: string };

/** The parts of a proof and the file of the statement, made by other code than that of daemon and CLI. */
export function makeModelProof(
  wallets: readonly ModelWallet[],
  wallet: ModelWallet,
  range: ModelRange,
  key: ModelKey,
): { readonly parts: readonly ProofPart[]; readonly file: Buffer } {
  const { entries, walletId, userId, currency } = wallet;
  const { firstSeq, lastSeq, leafSeq, hidesNeighbours, timezone } = range;
  const timeOf = (seq: number): number => entries[seq - 1]?.occurredAtMs ?? 0;
  const isEmpty = lastSeq < firstSeq;
  const toMs = timeOf(lastSeq) + 1;
  const fromMs = isEmpty ? toMs : timeOf(firstSeq);
  const showsBefore = firstSeq > 1 && !hidesNeighbours;
  const showsAfter = leafSeq > lastSeq && !hidesNeighbours;
  const start = showsBefore ? firstSeq - 2 : firstSeq - 1;
  const startHash = entries[start - 1]?.hash ?? genesisHash(walletId, userId, currency);
  const between = (from: number, to: number) => entries.slice(from - 1, to);
  const leaves = [...wallets].sort((a, b) => (a.walletId < b.walletId ? -1 : 1));
  const seqOf = (one: ModelWallet) => (one === wallet ? leafSeq : one.entries.length);
  const hashes = leaves.map((one) => leafOf(one, seqOf(one)));
  const index = leaves.indexOf(wallet);
  const parts: ProofPart[] = [
    { kind: 'file', file: range.file },
    { kind: 'statement', statement: { walletId, userId, currency, fromMs, toMs, timezone } },
    { kind: 'start', start: { seq: BigInt(start), hash: startHash } },
    ...(showsBefore ? between(firstSeq - 1, firstSeq - 1) : []).map(placed('before')),
    ...between(firstSeq, lastSeq).map(placed('line')),
    ...(showsAfter ? between(lastSeq + 1, lastSeq + 1) : []).map(placed('after')),
    ...between(showsAfter ? lastSeq + 2 : lastSeq + 1, leafSeq).map((entry) => ({
      ...{ kind: 'digest' as const, digest: contentDigest(entry) },
    })),
    {
      kind: 'leaf',
      leaf: {
        ...{ seq: BigInt(leafSeq), index: BigInt(index) },
        hash: entries[leafSeq - 1]?.hash ?? genesisHash(walletId, userId, currency),
        path: pathOf(index, hashes).map((hash) => hash.toString('hex')),
      },
    },
    {
      kind: 'checkpoint',
      checkpoint: signModel(treeHash(hashes), hashes.length, range.checkpointMs ?? toMs + 1, key),
    },
  ];
  return { parts, file: writeModelFile(wallet, range, { fromMs, toMs }) };
}

const placed =
  (kind: 'before' | 'line' | 'after') =>
  (entry: ProofEntry): ProofPart => ({ kind, entry });

function writeModelFile(
  { walletId, currency, entries }: ModelWallet,
  { file, timezone, firstSeq, lastSeq }: ModelRange,
  period: { readonly fromMs: number; readonly toMs: number },
): Buffer {
  const lines = entries.slice(firstSeq - 1, Math.max(lastSeq, firstSeq - 1));
  const shown = lines.filter(({ amountMinor }) => file.hasHolds || amountMinor !== 0n);
  const last = lines.at(-1) ?? entries[firstSeq - 2];
  const sum = (sign: bigint) =>
    lines.reduce((all, l) => (l.amountMinor * sign > 0n ? all + l.amountMinor * sign : all), 0n);
  const writer = createStatementWriter(
    file.format,
    {
      ...{ walletId, currency, ...period, timezone },
      ...{ totalDebitMinor: sum(-1n), totalCreditMinor: sum(1n) },
      openingMinor: entries[firstSeq - 2]?.balanceAfterMinor ?? 0n,
      closingMinor: last?.balanceAfterMinor ?? 0n,
      heldClosingMinor: file.hasHolds ? (last?.more?.heldAfterMinor ?? 0n) : undefined,
    },
    file,
  );
  const head = writer.begin();
  const texts = shown.map(({ more, ...line }) => {
    const held = { heldMinor: more?.heldMinor, heldAfterMinor: more?.heldAfterMinor };
    return writer.line({ ...line, ...held, transactionId: line.id });
  });
  return Buffer.from([head, ...texts, writer.end()].join(''));
}

/** The bytes of a proof with these parts. */
export function printModelProof(parts: readonly ProofPart[]): Buffer {
  const writer = createProofWriter();
  return Buffer.from(parts.map((part) => writer.add(part) ?? '').join(''));
}

function signModel(root: Buffer, size: number, timeMs: number, key: ModelKey) {
  const keyId = keyIdOf(createPublicKey(key.publicKey));
  const text = formatCheckpoint({
    ...{ keyId, timeMs, size: BigInt(size), root: root.toString('hex') },
    ...{ origin: '00000000-0000-4000-8000-0000000000ff', number: 7n, transactions: 84n },
    previousRoot: 'a'.repeat(64),
  });
  return { text, signature: signCheckpoint(text, key.privateKey), publicKey: key.publicKey };
}
