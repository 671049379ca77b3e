import type { Result } from '../../../core/reasons.ts';
import type { Tx } from '../../platform/db/db.ts';
import type { ReadLedger } from '../rebuild/compare.ts';
import { isBalanced, type Extent, type Head, type Line } from '../domain.ts';
import { readLastLine, readLinesAt } from '../rebuild/store.ts';
import { hasOwnHash, type Divergence, type Finding } from './lines.ts';
import { findOpenDivergence } from './store.ts';

/**
 * Asks the ledger for a wallet's head, and for the hash of the transaction `alsoSeq`. Rejects if
 * the wallet service is unavailable.
 */
export type ReadHead = (
  userId: string,
  currency: string,
  alsoSeq?: bigint,
) => Promise<Result<Head>>;

export type LedgerPeers = { readonly readHead: ReadHead; readonly readLedger: ReadLedger };

/** A line that is compared with the ledger. */
type EndLine = { readonly seq: bigint; readonly hash: string };

/** What the lines say of themselves, read on the snapshot of an extent. */
export type Evidence = {
  /** The wallet's last line. */
  readonly last: EndLine | undefined;
  /** The line right after the extent: it proves where the extent ends. */
  readonly next: EndLine | undefined;
  /** What contradicts within the lines; undefined if nothing does. */
  readonly found: Finding | undefined;
};

/** Reads a wallet's last line, and looks at the lines that give an extent its balances. */
export async function readEvidence(tx: Tx, walletId: string, extent: Extent): Promise<Evidence> {
  const last = await readLastLine(tx, walletId);
  const { openingSeq, closingSeq, nextSeq } = extent;
  const isFollowed = nextSeq === closingSeq + 1n;
  const seqs = new Set([openingSeq, closingSeq, ...(isFollowed ? [nextSeq] : [])]);
  const places = [...seqs].filter((seq) => seq > 0n).map((seq) => ({ walletId, seq }));
  const lines = places.length === 0 ? [] : await readLinesAt(tx, places);
  const open = await findOpenDivergence(tx, walletId);
  const found = open ? toFinding(open) : findContradiction(extent, lines);
  return { last, next: isFollowed ? lines.find(({ seq }) => seq === nextSeq) : undefined, found };
}

/** What an open divergence says of a wallet's lines. */
export const toFinding = (open: Pick<Divergence, 'seq' | 'kind' | 'hash'>): Finding => ({
  ...open,
  text: `${describe[open.kind]} at seq ${open.seq}`,
});

const describe = {
  own_hash: 'an event or line is not what its hash says',
  other_hash: 'an event contradicts the line that is there',
  broken_link: 'a line does not follow the line before it',
  ledger: 'the lines contradict the ledger',
} as const;

function findContradiction(extent: Extent, lines: readonly Line[]): Finding | undefined {
  const { brokenSeq, closingSeq } = extent;
  if (brokenSeq !== undefined) return toBroken(brokenSeq);
  const altered = findAlteredLine(lines);
  if (altered !== undefined) return altered;
  const closing = lines.find(({ seq }) => seq === closingSeq);
  const next = lines.find(({ seq }) => seq === closingSeq + 1n);
  if (closing && next && next.previousHash !== closing.hash) {
    return toBroken(next.seq, next.hash);
  }
  return undefined;
}

const noHash = '0'.repeat(64);

/** A line that is not linked to the one before it. */
export const toBroken = (seq: bigint, hash = noHash): Finding => ({
  ...{ kind: 'broken_link', seq, hash },
  text: `line ${seq} does not follow the line before it`,
});

/** What is wrong with lines of one wallet, each by itself; undefined if nothing is. */
export function findAlteredLine(lines: readonly Line[]): Finding | undefined {
  const [first] = lines;
  const altered = lines.find((line) => !hasOwnHash(line, line === first ? undefined : first));
  if (!altered) return undefined;
  return toAltered(altered.seq, altered.hash);
}

export const toAltered = (seq: bigint, hash: string): Finding => ({
  ...{ kind: 'own_hash', seq, hash },
  text: `line ${seq} is not what its hash says`,
});

/**
 * The first line that should be among those read with `afterSeq` < seq < `beforeSeq`, in order, up
 * to `limit`; undefined if none is missing. To be asked of lines that are all there.
 */
export function findAbsentLine(
  lines: readonly Pick<Line, 'seq'>[],
  part: {
    readonly afterSeq: bigint;
    readonly beforeSeq: bigint;
    readonly isDescending: boolean;
    readonly limit: number;
  },
): Finding | undefined {
  const { afterSeq, beforeSeq, isDescending, limit } = part;
  let seq = isDescending ? beforeSeq - 1n : afterSeq + 1n;
  for (const line of lines) {
    if (line.seq !== seq) return toAbsent(seq);
    seq += isDescending ? -1n : 1n;
  }
  const isAtEnd = isDescending ? seq <= afterSeq : seq >= beforeSeq;
  return isAtEnd || lines.length === limit ? undefined : toAbsent(seq);
}

export const toAbsent = (seq: bigint): Finding => ({
  ...{ kind: 'own_hash', seq, hash: noHash },
  text: `line ${seq} is not one of the wallet's owner`,
});

/**
 * What a complete extent must be besides: its totals lead from the opening to the closing balance.
 */
export function findImbalance(extent: Extent): Finding | undefined {
  if (isBalanced(extent)) return undefined;
  const { openingSeq, closingSeq: seq } = extent;
  const text = `lines ${openingSeq + 1n} to ${seq} do not add up`;
  return { kind: 'own_hash', seq, hash: noHash, text };
}

/** `unknown`: the ledger could not be asked. Otherwise what contradicts it, if anything does. */
export type Comparison =
  { readonly kind: 'same' | 'unknown' } | { readonly kind: 'differs'; readonly found: Finding };

const askTimeoutMs = 2_000;
const unknown: Comparison = { kind: 'unknown' };
const differs = ({ seq, hash }: EndLine, text: string): Comparison => ({
  kind: 'differs',
  found: { kind: 'ledger', seq, hash, text },
});

/**
 * Compares a wallet's last line with the ledger, and the line after the extent, whose hash covers
 * all lines before it. A line comes only after its transaction was committed: where the last line
 * is later than a head that was asked for before, the head is asked again.
 */
export async function compareEnds(
  { readHead, readLedger }: LedgerPeers,
  wallet: { readonly id: string; readonly userId: string; readonly currency: string },
  { last, next }: Pick<Evidence, 'last' | 'next'>,
  head: Head | undefined,
): Promise<Comparison> {
  if (!head) return unknown;
  if (!last) return { kind: 'same' };
  let current = head;
  if (last.seq > current.seq) {
    const again = await readHead(wallet.userId, wallet.currency).catch(() => undefined);
    if (!again?.ok) return unknown;
    current = again.value;
  }
  if (last.seq > current.seq) {
    return differs(last, `the ledger ends at seq ${current.seq}, the lines at ${last.seq}`);
  }
  const known = new Map([current, ...(head.also ? [head.also] : [])].map((e) => [e.seq, e.hash]));
  const compare = async (line: EndLine): Promise<Comparison> => {
    const { seq } = line;
    const hash = known.get(seq) ?? (await readHash(readLedger, wallet.id, seq));
    if (hash === undefined) return unknown;
    if (hash === line.hash) return { kind: 'same' };
    return differs(line, `the ledger has another transaction at seq ${seq} than the lines`);
  };
  const ends = next && next.seq !== last.seq ? [next, last] : [last];
  const compared = await Promise.all(ends.map(compare));
  return (
    compared.find(({ kind }) => kind === 'differs') ??
    compared.find(({ kind }) => kind === 'unknown') ?? { kind: 'same' }
  );
}

/** The hash of a transaction that the ledger has; undefined if it does not answer in time. */
async function readHash(
  readLedger: ReadLedger,
  walletId: string,
  seq: bigint,
): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, askTimeoutMs, undefined);
  });
  const ask = async (): Promise<string | undefined> => {
    for await (const page of readLedger(walletId, { walletId, seq: seq - 1n })) {
      const found = page.find((one) => one.seq === seq);
      return found && Buffer.from(found.hash).toString('hex');
    }
    return undefined;
  };
  try {
    return await Promise.race([ask().catch(() => undefined), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
