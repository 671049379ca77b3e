import type { WalletRow } from './read-wallet.ts';
import type { EntryRow } from './rows.ts';

/** What can be wrong. docs/verification.md says what each kind means. */
type FindingKind =
  | ('gap' | 'hash' | 'balance' | 'debited' | 'held' | 'floor' | 'time' | 'amount' | 'account')
  | ('parent' | 'undo' | 'hold' | 'pair')
  | ('wallet' | 'no_wallet' | 'no_entries')
  | ('line_missing' | 'line_altered' | 'line_extra' | 'outbox')
  // Against a checkpoint.
  | ('missing_wallet' | 'cut_tail' | 'rewritten');

export type LedgerFinding = {
  readonly walletId: string;
  /** Of the entry that is wrong; of the last entry where it is the wallet's row; 0 without any. */
  readonly seq: bigint;
  readonly kind: FindingKind;
  readonly detail: string;
};

/** An undo, a capture or a release, whose parent is still to be looked up. */
export type ChildEntry = {
  readonly walletId: string;
  readonly seq: bigint;
  readonly id: string;
  /** Its code. */
  readonly operation: number;
  readonly amountMinor: bigint;
  readonly heldMinor: bigint;
  readonly contraAccount: string;
  readonly parentId: string;
  /** What it says of its parent: what was used up before, and the whole amount; 0 if nothing. */
  readonly parentUsedMinor: bigint;
  readonly parentAmountMinor: bigint;
  readonly occurredAtMs: number;
  /** `walletd` itself entered it: a hold has expired. */
  readonly isOfSystem: boolean;
  /** The time of the wallet's last entry before it that is not of this kind; -Infinity without. */
  readonly lastOtherMs: number;
};

/** What the ledger has of a child's parent, and of the parent's other children. */
export type ParentFacts = {
  readonly seq: bigint;
  /** Its code. */
  readonly operation: number;
  readonly amountMinor: bigint;
  /** What it reserves; 0 if nothing. */
  readonly heldMinor: bigint;
  readonly contraAccount: string;
  /** Of a hold: when it expires, as its metadata have it. */
  readonly expiresAt: string | undefined;
  /** The child with the next smaller place, and what was used up after it. */
  readonly before: { readonly seq: bigint; readonly usedAfterMinor: bigint } | undefined;
  /** The first child with the same place: this one, if all is well. */
  readonly sameSeq: bigint | undefined;
};

/** A hold, whose row and uses are still to be looked up. */
export type HoldEntry = {
  readonly walletId: string;
  readonly seq: bigint;
  readonly id: string;
  /** What it reserves. */
  readonly amountMinor: bigint;
  readonly contraAccount: string;
  readonly placedAtMs: number;
  /** Undefined if the entry does not say it. */
  readonly expiresAtMs: number | undefined;
};

/** A wallet in which something is reserved after its last entry. */
export type OpenHolds = {
  readonly walletId: string;
  /** Of its last entry. */
  readonly seq: bigint;
  readonly nextExpiryMs: number | undefined;
  /** The time of the last entry that is no release of an expired hold. */
  readonly lastOtherMs: number;
};

export type CheckListener = {
  report(finding: LedgerFinding): void;
  onChild(child: ChildEntry): void;
  /** Without these two, the table of holds is not looked at. */
  onHold?(hold: HoldEntry): void;
  onOpenHolds?(wallet: OpenHolds): void;
  /**
   * One side of a movement between two users' wallets; `row` is good until it returns. Without it,
   * other sides are not looked for.
   */
  onPair?(row: EntryRow, wallet: WalletRow): void;
  /** An entry has no line. Without it, lines are not looked at. */
  onMissing?(walletId: string, seq: bigint): void;
};

/**
 * Rows in the binary format of COPY, each from its start to its end. Their memory may be used for
 * others once the queue has had its next page.
 */
export type RowPage = {
  readonly bytes: Buffer;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly rows: number;
  /** There are no rows behind these. */
  readonly isLast: boolean;
};
