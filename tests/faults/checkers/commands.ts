import type { EntryRow } from '../../support/ledger/final-rows.ts';
import type { Attempt, Command, Outcome } from '../record/history.ts';
import { isLedgerRefusal } from '../record/outcomes.ts';
import { groupBy } from './group.ts';

/** An attempt with an outcome of this kind. */
export type AttemptWith<Kind extends Outcome['kind']> = Attempt & {
  readonly outcome: Extract<Outcome, { kind: Kind }>;
  readonly endMs: number;
};

/** All that was asked for under one key with one content, and what it came to. */
export type Asked = {
  readonly command: Command;
  readonly attempts: readonly Attempt[];
  readonly accepted: readonly AttemptWith<'accepted'>[];
  /** Refused by the rules of the ledger, which is final. */
  readonly refused: readonly AttemptWith<'refused'>[];
  /** Without an answer, or with one that leaves the outcome open. */
  readonly open: readonly Attempt[];
};

const isWith =
  <Kind extends Outcome['kind']>(kind: Kind) =>
  (attempt: Attempt): attempt is AttemptWith<Kind> =>
    attempt.outcome?.kind === kind && attempt.endMs !== undefined;

/** Attempts by key and content: a key that is sent with another content is another one here. */
export function listAsked(attempts: readonly Attempt[]): readonly Asked[] {
  const contentOf = ({ command }: Attempt): string => {
    const { transactionId, operation, amountMinor, parentId = '', merchant = '' } = command;
    const { pair, via = '', payeeId = '', keepsRest = false } = command;
    const others = [merchant, pair?.otherWalletId ?? '', via, payeeId, keepsRest];
    return [transactionId, operation, amountMinor, parentId, ...others].join(' ');
  };
  return [...groupBy(attempts, contentOf).values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    return {
      command: first.command,
      attempts: group,
      accepted: group.filter(isWith('accepted')),
      refused: group
        .filter(isWith('refused'))
        .filter(({ outcome }) => isLedgerRefusal(outcome.reason)),
      open: group.filter(({ outcome }) => outcome === undefined || outcome.kind === 'unknown'),
    };
  });
}

/** Rows by transaction and wallet: there should be one at most of each. */
export type EntryIndex = {
  /** The rows on the command's own wallet. */
  own(command: Command): readonly EntryRow[];
  /** The rows of the same transaction on other wallets. */
  others(command: Command): readonly EntryRow[];
  /** Of an undo, on its own wallet. */
  parent(command: Command): EntryRow | undefined;
};

export function indexEntries(entries: readonly EntryRow[]): EntryIndex {
  const byId = groupBy(entries, ({ id }) => id);
  const rowsOf = (id: string): readonly EntryRow[] => byId.get(id) ?? [];
  return {
    own: ({ transactionId, walletId }) =>
      rowsOf(transactionId).filter((row) => row.wallet_id === walletId),
    others: ({ transactionId, walletId }) =>
      rowsOf(transactionId).filter((row) => row.wallet_id !== walletId),
    parent: ({ parentId = '', walletId }) =>
      rowsOf(parentId).find((row) => row.wallet_id === walletId),
  };
}
