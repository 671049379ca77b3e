import type { ChainedFields } from '../chain.ts';
import type { ExportFormat, ExportLocale } from '../statement-format/index.ts';

/** The version of the layout that docs/verification.md describes, "Offline statements". */
export const proofVersion = 1;

/** How a statement's file was written; the same lines give the same bytes again. */
export type ProvedFile = {
  readonly format: ExportFormat;
  readonly locale: ExportLocale;
  readonly hasByteOrderMark: boolean;
  /** Whether the file shows the lines of holds and releases. */
  readonly hasHolds: boolean;
};

/** Whose statement, and of when: half-open, [fromMs, toMs). */
export type ProvedStatement = {
  readonly walletId: string;
  readonly userId: string;
  readonly currency: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly timezone: string;
};

/** An entry whose content is known; `hash` is 64 hex digits, as are all hashes of a proof. */
export type ProofEntry = ChainedFields & { readonly hash: string };

/** The place in a wallet's chain behind which the proof's entries follow; seq 0: the genesis. */
export type ChainStart = { readonly seq: bigint; readonly hash: string };

/** The wallet's leaf in the checkpoint's tree, and the hashes that lead from it to the root. */
export type ProofLeaf = {
  readonly seq: bigint;
  readonly hash: string;
  readonly index: bigint;
  readonly path: readonly string[];
};

/** The checkpoint that ends the chain: what was signed, by which key. */
export type SignedCheckpoint = {
  /** The text over whose bytes the signature is. */
  readonly text: string;
  /** base64. */
  readonly signature: string;
  /** The public key, SPKI in PEM. It proves nothing by itself: whose it is, the reader must know. */
  readonly publicKey: string;
};

/** A proof in the order of its file. */
export type ProofPart =
  | { readonly kind: 'file'; readonly file: ProvedFile }
  | { readonly kind: 'statement'; readonly statement: ProvedStatement }
  | { readonly kind: 'start'; readonly start: ChainStart }
  /** The entries just before and just behind the lines, where they are shown. */
  | { readonly kind: 'before' | 'line' | 'after'; readonly entry: ProofEntry }
  /** `contentDigest` of an entry that is not shown. */
  | { readonly kind: 'digest'; readonly digest: string }
  | { readonly kind: 'leaf'; readonly leaf: ProofLeaf }
  | { readonly kind: 'checkpoint'; readonly checkpoint: SignedCheckpoint };

/** The first thing that does not hold: where, which field, and why. */
export type ProofFault = {
  /** For people: `line 7 of the proof`, `entry 5`. */
  readonly where: string;
  readonly field: string;
  readonly message: string;
};

export const faultOf = (where: string, field: string, message: string): ProofFault => ({
  ...{ where, field, message },
});
