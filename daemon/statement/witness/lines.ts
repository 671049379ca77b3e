import { chainHash, genesisHash } from '../../../core/chain.ts';
import { uuidV5, walletIdOf } from '../../../core/ids.ts';
import type { Line } from '../domain.ts';

/** What contradicts: a line's own hash, a line that is there already, a neighbour, or the ledger. */
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

/** True if a line's hash is what its fields and the hash before it give, and its wallet is its owner's. */
export function hasOwnHash(line: Line): boolean {
  const { walletId, userId, currency, seq, previousHash } = line;
  if (walletId !== walletIdOf(userId, currency)) return false;
  if (seq === 1n && previousHash !== genesisHash(walletId, userId, currency)) return false;
  return chainHash(previousHash, { ...line, id: line.transactionId }) === line.hash;
}

/** A link is named by the later of its two lines. */
export type Link = { readonly walletId: string; readonly seq: bigint };

/**
 * The links of these lines to others, as far as the lines themselves do not prove them: events come
 * mostly in the order of seq, so of a run of lines only the two ends are left.
 */
export function listOpenLinks(lines: readonly Line[]): Link[] {
  const links: Link[] = [];
  const lastOf = new Map<string, Line>();
  for (const line of lines) {
    const { walletId, seq } = line;
    const last = lastOf.get(walletId);
    lastOf.set(walletId, line);
    if (last && last.seq + 1n === seq && last.hash === line.previousHash) continue;
    if (last) links.push({ walletId, seq: last.seq + 1n });
    if (seq > 1n) links.push({ walletId, seq });
  }
  for (const { walletId, seq } of lastOf.values()) links.push({ walletId, seq: seq + 1n });
  return links;
}
