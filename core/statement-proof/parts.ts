import { toChainedMore, toMoreColumns } from '../chain.ts';
import { isUuid } from '../ids.ts';
import { isOperation, type Operation } from '../operations.ts';
import { exportFormats, isExportLocale } from '../statement-format/index.ts';
import { findExponent } from '../currencies.ts';
import { isStorableTime, isTimezone } from '../time/calendar.ts';
import type { ProofEntry, ProofPart } from './types.ts';

type Kind = ProofPart['kind'];
type Json = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

/** A part, or the field of it that is not as it must be; '' for the part itself. */
type ReadPart = { readonly part: ProofPart } | { readonly badField: string };

/** The longest text of an entry is a description of 500 characters; a key is about 120. */
const maxTextLength = 4_096;
/** A tree of 2^63 leaves is not higher. */
const maxPathLength = 63;

const matches =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
const isCount = matches(/^(?:0|[1-9]\d{0,17})$/);
const isSum = matches(/^(?:0|-?[1-9]\d{0,18})$/);
const isHash = matches(/^[0-9a-f]{64}$/);
const isText: Check = (value) =>
  typeof value === 'string' && value.length <= maxTextLength && value.isWellFormed();
const isId: Check = (value) => typeof value === 'string' && isUuid(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const isPair: Check = (value) => Array.isArray(value) && value.length === 2 && value.every(isText);
const isMetadata: Check = (value) =>
  Array.isArray(value) && value.length > 0 && value.length <= 64 && value.every(isPair);
const isTimeMs: Check = (value) => Number.isSafeInteger(value) && isStorableTime(Number(value));
const isTimeText: Check = (value) => isText(value) && isTimeMs(Date.parse(String(value)));

const entryChecks: Readonly<Record<string, Check>> = {
  seq: isCount,
  id: isId,
  operation: (value) => typeof value === 'string' && isOperation(value),
  amountMinor: isSum,
  balanceAfterMinor: isSum,
  contraAccount: isText,
  parentId: optional(isId),
  source: isText,
  actor: isText,
  description: optional(isText),
  metadata: optional(isMetadata),
  occurredAtMs: isTimeMs,
  heldMinor: optional(isSum),
  heldAfterMinor: optional(isSum),
  parentUsedMinor: optional(isSum),
  groupId: optional(isId),
  hash: isHash,
};

/** The fields of each part in the order in which they are written. */
const checks: Readonly<Record<Exclude<Kind, 'digest'>, Readonly<Record<string, Check>>>> = {
  file: {
    format: (value) => exportFormats.some((format) => format === value),
    locale: (value) => typeof value === 'string' && isExportLocale(value),
    byteOrderMark: (value) => typeof value === 'boolean',
    holds: optional((value) => value === true),
  },
  statement: {
    walletId: isId,
    userId: isId,
    currency: (value) => typeof value === 'string' && findExponent(value) !== undefined,
    from: isTimeText,
    to: isTimeText,
    timezone: (value) => typeof value === 'string' && value !== '' && isTimezone(value),
  },
  start: { seq: isCount, hash: isHash },
  before: entryChecks,
  line: entryChecks,
  after: entryChecks,
  leaf: {
    seq: isCount,
    hash: isHash,
    index: isCount,
    path: (value) =>
      Array.isArray(value) && value.length <= maxPathLength && value.every((one) => isHash(one)),
  },
  checkpoint: { text: isText, signature: isText, publicKey: isText },
};

/** A part as JSON on one line: the keys in this order, no blanks, absent values left out. */
export function printPart(part: ProofPart): string {
  switch (part.kind) {
    case 'file': {
      const { format, locale, hasByteOrderMark, hasHolds } = part.file;
      const holds = hasHolds || undefined;
      return JSON.stringify({ format, locale, byteOrderMark: hasByteOrderMark, holds });
    }
    case 'statement': {
      const { walletId, userId, currency, fromMs, toMs, timezone } = part.statement;
      const range = { from: toTimeText(fromMs), to: toTimeText(toMs) };
      return JSON.stringify({ walletId, userId, currency, ...range, timezone });
    }
    case 'start': {
      const { seq, hash } = part.start;
      return JSON.stringify({ seq: seq.toString(), hash });
    }
    case 'before':
    case 'line':
    case 'after':
      return printEntry(part.entry);
    case 'digest':
      return JSON.stringify(part.digest);
    case 'leaf': {
      const { seq, hash, index, path } = part.leaf;
      return JSON.stringify({ seq: seq.toString(), hash, index: index.toString(), path });
    }
    case 'checkpoint': {
      const { text, signature, publicKey } = part.checkpoint;
      return JSON.stringify({ text, signature, publicKey });
    }
  }
}

const noMore: Partial<ReturnType<typeof toMoreColumns>> = {};

function printEntry(entry: ProofEntry): string {
  const { metadata, more } = entry;
  const { held, heldAfter, parentUsed, groupId } = more ? toMoreColumns(more) : noMore;
  const keys = Object.keys(metadata).sort();
  return JSON.stringify({
    seq: entry.seq.toString(),
    id: entry.id,
    operation: entry.operation,
    amountMinor: entry.amountMinor.toString(),
    balanceAfterMinor: entry.balanceAfterMinor.toString(),
    contraAccount: entry.contraAccount,
    parentId: entry.parentId,
    source: entry.source,
    actor: entry.actor,
    description: entry.description,
    metadata: keys.length === 0 ? undefined : keys.map((key) => [key, metadata[key]]),
    occurredAtMs: entry.occurredAtMs,
    heldMinor: held?.toString(),
    heldAfterMinor: heldAfter?.toString(),
    parentUsedMinor: parentUsed?.toString(),
    groupId,
    hash: entry.hash,
  });
}

const toTimeText = (ms: number): string => new Date(ms).toISOString();

/**
 * The part that a line has. It must be written exactly as `printPart` writes it: so no part has two
 * texts, and no key stands there twice or unread.
 */
export function readPart(kind: Kind, text: string): ReadPart {
  const value = parse(text);
  const badField = kind === 'digest' ? undefined : findBadField(value, checks[kind]);
  if (badField !== undefined || (kind === 'digest' && !isHash(value))) {
    return { badField: badField ?? '' };
  }
  const part = toPart(kind, value);
  return printPart(part) === text ? { part } : { badField: '' };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function findBadField(value: unknown, fields: Readonly<Record<string, Check>>): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return '';
  const entry = Object.entries(fields).find(([name, check]) => !check(getOwn(value, name)));
  return entry?.[0];
}

const getOwn = (value: object, name: string): unknown =>
  Object.hasOwn(value, name) ? (value as Json)[name] : undefined;

/** Of a value that has passed its checks. */
function toPart(kind: Kind, value: unknown): ProofPart {
  if (kind === 'digest') return { kind, digest: String(value) };
  const fields = value as Readonly<Record<string, string>>;
  const text = (name: string): string => fields[name] ?? '';
  switch (kind) {
    case 'file': {
      const format = exportFormats.find((one) => one === text('format')) ?? 'csv';
      const locale = text('locale') === 'pt-BR' ? 'pt-BR' : 'en';
      const hasByteOrderMark = (value as Json)['byteOrderMark'] === true;
      const hasHolds = (value as Json)['holds'] === true;
      return { kind, file: { format, locale, hasByteOrderMark, hasHolds } };
    }
    case 'statement': {
      const range = { fromMs: Date.parse(text('from')), toMs: Date.parse(text('to')) };
      const owner = { walletId: text('walletId'), userId: text('userId') };
      const shown = { currency: text('currency'), timezone: text('timezone') };
      return { kind, statement: { ...owner, ...range, ...shown } };
    }
    case 'start':
      return { kind, start: { seq: BigInt(text('seq')), hash: text('hash') } };
    case 'leaf': {
      const path = (value as Json)['path'] as readonly string[];
      const [seq, index] = [BigInt(text('seq')), BigInt(text('index'))];
      return { kind, leaf: { seq, hash: text('hash'), index, path } };
    }
    case 'checkpoint': {
      const signed = { text: text('text'), signature: text('signature') };
      return { kind, checkpoint: { ...signed, publicKey: text('publicKey') } };
    }
    default:
      return { kind, entry: toEntry(value as Json) };
  }
}

const toSum = (text: string | undefined): bigint | undefined =>
  text === undefined ? undefined : BigInt(text);

function toEntry(value: Json): ProofEntry {
  const texts = value as Readonly<Record<string, string>>;
  const text = (name: string): string => texts[name] ?? '';
  const pairs = (value['metadata'] ?? []) as readonly (readonly [string, string])[];
  return {
    id: text('id'),
    seq: BigInt(text('seq')),
    operation: text('operation') as Operation,
    amountMinor: BigInt(text('amountMinor')),
    balanceAfterMinor: BigInt(text('balanceAfterMinor')),
    contraAccount: text('contraAccount'),
    parentId: texts['parentId'],
    source: text('source'),
    actor: text('actor'),
    description: texts['description'],
    metadata: Object.fromEntries(pairs),
    occurredAtMs: Number(value['occurredAtMs']),
    more: toChainedMore({
      held: toSum(texts['heldMinor']),
      heldAfter: toSum(texts['heldAfterMinor']),
      parentUsed: toSum(texts['parentUsedMinor']),
      groupId: texts['groupId'],
    }),
    hash: text('hash'),
  };
}
