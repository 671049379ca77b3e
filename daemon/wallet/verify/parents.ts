import {
  findChildProblem,
  type ChildEntry,
  type LedgerFinding,
  type ParentFacts,
} from '../../../core/ledger-check/index.ts';
import { findParents, type ParentRow, type RunInTx } from './store.ts';

/** Holds undos, captures and releases against their parents, and against what was used before. */
export async function checkParents(
  run: RunInTx,
  children: readonly ChildEntry[],
): Promise<LedgerFinding[]> {
  const parents = await run((tx) => findParents(tx, children));
  return children.flatMap((child, i): LedgerFinding[] => {
    const problem = findChildProblem(child, toFacts(parents[i]));
    const { walletId, seq } = child;
    return problem === undefined ? [] : [{ walletId, seq, ...problem }];
  });
}

function toFacts(row: ParentRow | undefined): ParentFacts | undefined {
  if (!row || row.seq === null) return undefined;
  const { before_seq: beforeSeq, before_used: usedAfterMinor } = row;
  return {
    seq: row.seq,
    operation: row.operation ?? 0,
    amountMinor: row.amount ?? 0n,
    heldMinor: row.held ?? 0n,
    contraAccount: row.contra_account ?? '',
    expiresAt: row.expires_at ?? undefined,
    before:
      beforeSeq === null || usedAfterMinor === null
        ? undefined
        : { seq: beforeSeq, usedAfterMinor },
    sameSeq: row.same_seq ?? undefined,
  };
}
