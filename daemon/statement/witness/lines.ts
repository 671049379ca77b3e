import { chainHash, genesisHash, type ChainedFields } from '../../../core/chain.ts';
import { uuidV5, walletIdOf } from '../../../core/ids.ts';
import type { Line } from '../domain.ts';
import type { Tail, Tails } from './tails.ts';

type Place = Pick<Line, 'seq' | 'hash'>;

/**
 * What contradicts: a line's own hash, a line that is there already, a neighbour, or the ledger.
 */
export type DivergenceKind = 'own_hash' | 'other_hash' | 'broken_link' | 'ledger';

/** What was found in a wallet's lines, and a text that says it. */
export type Finding = {
  readonly kind: DivergenceKind;
  readonly seq: bigint;
  readonly hash: string;
  readonly text: string;
};

export type Divergence = {
  readonly id: string;
  readonly walletId: string;
  readonly seq: bigint;
  readonly kind: DivergenceKind;
  readonly hash: string;
  readonly line: Line | undefined;
};

/** The same contradiction, found again, has the same id. */
export function toDivergence(
  kind: DivergenceKind,
  place: Pick<Line, 'walletId' | 'seq' | 'hash'>,
  line?: Line,
): Divergence {
  const { walletId, seq, hash } = place;
  return { id: uuidV5(walletId, `${kind}:${seq}:${hash}`), walletId, seq, kind, hash, line };
}

/**
 * True if a line's hash is what its fields and the hash before it give, and its wallet is its
 * owner's. `tail`: a line of the same wallet for which this was true.
 */
export function hasOwnHash(line: Line, tail?: Tail): boolean {
  const { walletId, userId, currency, seq, previousHash } = line;
  const isSameOwner = tail?.userId === userId && tail.currency === currency;
  if (!isSameOwner && walletId !== walletIdOf(userId, currency)) return false;
  if (seq === 1n && previousHash !== genesisHash(walletId, userId, currency)) return false;
  // Written out: a spread of the line takes longer than the hash.
  const fields: ChainedFields = {
    id: line.transactionId,
    seq,
    operation: line.operation,
    amountMinor: line.amountMinor,
    balanceAfterMinor: line.balanceAfterMinor,
    contraAccount: line.contraAccount,
    parentId: line.parentId,
    source: line.source,
    actor: line.actor,
    description: line.description,
    metadata: line.metadata,
    occurredAtMs: line.occurredAtMs,
    more: line.more,
  };
  return chainHash(previousHash, fields) === line.hash;
}

/** A link is named by the later of its two lines; `isEnd` where that line is not known to exist. */
export type Link = { readonly walletId: string; readonly seq: bigint; readonly isEnd: boolean };

/**
 * The links of these lines to others, as far as neither the lines themselves nor the tails prove
 * them. Events come mostly in the order of seq: of a run of lines only the two ends are left, and
 * of a run that begins behind its wallet's tail nothing. A line after such a run can only be one
 * that another process stored before its predecessor was there: that process sees a gap, and checks
 * the link once the gap has closed.
 */
export function listOpenLinks(lines: readonly Line[], tails: Pick<Tails, 'get'>): Link[] {
  const links: Link[] = [];
  const addEnd = (walletId: string, { seq }: Place): void => {
    links.push({ walletId, seq: seq + 1n, isEnd: true });
  };
  const runs = new Map<string, { last: Place; isBehindTail: boolean }>();
  for (const { walletId, seq, hash, previousHash } of lines) {
    const run = runs.get(walletId);
    const last = run?.last ?? tails.get(walletId);
    const follows = last !== undefined && last.seq + 1n === seq && last.hash === previousHash;
    if (run && follows) {
      run.last = { seq, hash };
      continue;
    }
    if (run && !run.isBehindTail) addEnd(walletId, run.last);
    if (!follows && seq > 1n) links.push({ walletId, seq, isEnd: false });
    runs.set(walletId, { last: { seq, hash }, isBehindTail: follows });
  }
  for (const [walletId, { last, isBehindTail }] of runs) {
    if (!isBehindTail) addEnd(walletId, last);
  }
  return links;
}
