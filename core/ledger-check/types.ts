/** What can be wrong. docs/verification.md says what each kind means. */
type FindingKind =
  | ('gap' | 'hash' | 'balance' | 'time' | 'amount' | 'parent' | 'undo')
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

/** An undo whose parent is still to be looked up. */
export type UndoEntry = {
  readonly walletId: string;
  readonly seq: bigint;
  /** Its code. */
  readonly operation: number;
  readonly amountMinor: bigint;
  readonly parentId: string;
};

export type CheckListener = {
  report(finding: LedgerFinding): void;
  onUndo(undo: UndoEntry): void;
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
