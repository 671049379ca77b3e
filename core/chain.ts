import { hash } from 'node:crypto';

import { copyBytes, createScratch, maxBytesPerUnit, writeHex, writeText } from './bytes.ts';
import type { Operation } from './operations.ts';

/** Version of the layout below; the first byte of whatever is hashed. */
export const chainVersion = 1;

/** What a transaction's hash covers, besides the hash before it. */
export type ChainedFields = {
  readonly id: string;
  readonly seq: bigint;
  readonly operation: Operation;
  /** Signed: above 0 credits the wallet, below 0 debits it. */
  readonly amountMinor: bigint;
  readonly balanceAfterMinor: bigint;
  readonly contraAccount: string;
  readonly parentId: string | undefined;
  readonly source: string;
  readonly actor: string;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly occurredAtMs: number;
  readonly more: ChainedMore | undefined;
};

/** What only some transactions have. Amounts are minor units, and 0 where there is none. */
export type ChainedMore = {
  /** Above 0 reserves money, below 0 releases it. */
  readonly heldMinor: bigint;
  readonly heldAfterMinor: bigint;
  /** What of the parent was used up before. */
  readonly parentUsedMinor: bigint;
  readonly groupId: string | undefined;
};

/** The same of columns that are null where there is nothing; undefined where all are. */
export function toChainedMore(columns: {
  readonly held: bigint | null | undefined;
  readonly heldAfter: bigint | null | undefined;
  readonly parentUsed: bigint | null | undefined;
  readonly groupId: string | null | undefined;
}): ChainedMore | undefined {
  const { held, heldAfter, parentUsed, groupId } = columns;
  if (held == null && heldAfter == null && parentUsed == null && groupId == null) return undefined;
  return {
    heldMinor: held ?? 0n,
    heldAfterMinor: heldAfter ?? 0n,
    parentUsedMinor: parentUsed ?? 0n,
    groupId: groupId ?? undefined,
  };
}

/** Columns for the same: undefined where there is nothing. */
export const toMoreColumns = (more: ChainedMore) => ({
  held: more.heldMinor || undefined,
  heldAfter: more.heldAfterMinor || undefined,
  parentUsed: more.parentUsedMinor || undefined,
  groupId: more.groupId,
});

/**
 * What the chain of a wallet starts from: SHA-256 (64 hex digits) over who the wallet belongs to.
 */
export function genesisHash(walletId: string, userId: string, currency: string): string {
  return digestOf(['genesis', walletId, userId, currency], 'hex');
}

/**
 * The hash of a transaction that follows the hash `previous` (64 hex digits each). It covers the
 * fields by their digest only, so that a chain can be checked without what is in it.
 */
export function chainHash(previous: string, fields: ChainedFields): string {
  const content = digestOf(listFields(fields), 'binary');
  writePrevious(previous);
  return hashLink(content, 'hex');
}

/**
 * SHA-256 (64 hex digits) over the version, and each field behind its length in bytes, so that no
 * two different transactions have the same bytes. An absent field differs from an empty one.
 * `statement-format/rows.ts` writes the same bytes from rows.
 */
export const contentDigest = (fields: ChainedFields): string => digestOf(listFields(fields), 'hex');

/**
 * SHA-256 over the version, the 32 bytes of the hash before, and the 32 bytes of the digest of the
 * content; all three have 64 hex digits.
 */
export function linkHash(previous: string, content: string): string {
  writePrevious(previous);
  writeHex(link, content, 1 + digestBytes);
  return hash('sha256', link, 'hex');
}

/** Plain transactions end with their time, others with four more fields. */
function listFields(fields: ChainedFields): readonly (string | undefined)[] {
  const plain = listPlain(fields);
  const { more } = fields;
  if (!more) return plain;
  const { held, heldAfter, parentUsed, groupId } = toMoreColumns(more);
  const rest = [held?.toString(), heldAfter?.toString(), parentUsed?.toString(), groupId];
  return rest.some((field) => field !== undefined) ? [...plain, ...rest] : plain;
}

const listPlain = (fields: ChainedFields): readonly (string | undefined)[] => [
  fields.id,
  fields.seq.toString(),
  fields.operation,
  fields.amountMinor.toString(),
  fields.balanceAfterMinor.toString(),
  fields.contraAccount,
  fields.parentId,
  fields.source,
  fields.actor,
  fields.description,
  canonicalMetadata(fields.metadata),
  fields.occurredAtMs.toString(),
];

/** Keys in code-unit order, so that the same metadata has one text only; undefined if empty. */
export function canonicalMetadata(metadata: Readonly<Record<string, string>>): string | undefined {
  for (const _key in metadata) {
    const keys = Object.keys(metadata).sort();
    return JSON.stringify(keys.map((key) => [key, metadata[key]]));
  }
  return undefined;
}

/** What is no JSON object was changed by hand: it cannot match the hash. */
export function parseMetadata(text: string): Readonly<Record<string, string>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, string>>;
  } catch {
    return { text };
  }
}

const digestBytes = 32;
/** Version, the hash before, content: the same room for each link. */
const link = Buffer.alloc(1 + 2 * digestBytes, chainVersion);

function writePrevious(previous: string): void {
  // A hash that was cut in the database must not leave a rest of the link before.
  if (previous.length !== 2 * digestBytes) link.fill(0, 1);
  writeHex(link, previous.slice(0, 2 * digestBytes), 1);
}

/** `content` has a character for each byte, which takes less time to write than two digits. */
function hashLink(content: string, encoding: 'hex' | 'binary'): string {
  for (let i = 0; i < digestBytes; i += 1) link[1 + digestBytes + i] = content.charCodeAt(i);
  return hash('sha256', link, encoding);
}

/**
 * `linkHash` with the hash before at `at`, and a character for each byte of the content's digest
 * and of the answer.
 */
export function linkBytes(bytes: Buffer, at: number, content: string): string {
  copyBytes(bytes, at, at + digestBytes, link, 1);
  return hashLink(content, 'binary');
}

const scratch = createScratch(32 * 1024);
/** A field's length in digits, and what is around it. */
const maxBytesAround = 12;

function digestOf(fields: readonly (string | undefined)[], encoding: 'hex' | 'binary'): string {
  let most = 1;
  for (const field of fields) most += maxBytesAround + maxBytesPerUnit * (field?.length ?? 0);
  const bytes = scratch.take(most);
  bytes[0] = chainVersion;
  let end = 1;
  for (const field of fields) end = writeField(bytes, field, end);
  return hash('sha256', scratch.upTo(bytes, end), encoding);
}

const prefixes = Array.from({ length: 256 }, (_, length) => `${length}:`);
const prefixOf = (length: number): string => prefixes[length] ?? `${length}:`;

/** `<length in bytes>:<field>;`, or `-;` for none. Where it ends. */
function writeField(bytes: Buffer, field: string | undefined, start: number): number {
  if (field === undefined) return writeText(bytes, '-;', start);
  const at = writeText(bytes, prefixOf(field.length), start);
  const end = writeText(bytes, field, at);
  if (end - at === field.length) return writeText(bytes, ';', end);
  // It has more bytes than characters: its length was another.
  const again = writeText(bytes, prefixOf(end - at), start);
  return writeText(bytes, ';', writeText(bytes, field, again));
}
