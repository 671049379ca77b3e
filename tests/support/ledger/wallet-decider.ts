import {
  newWallet,
  noRareStates,
  plainTerms,
  usedAfter,
  usedKey,
  type Command,
  type Decision,
  type Entry,
  type States,
  type Terms,
  type WalletRef,
  type WalletState,
  type WalletStatus,
} from '../../../daemon/wallet/domain.ts';
import { decideBatch } from '../../../daemon/wallet/domain-batch.ts';
import type { Decider } from './decider-spec.ts';

/** A ledger without wallets. */
export const noStates: States = {
  ...noRareStates,
  wallets: new Map(),
  entries: new Map(),
  used: new Map(),
  refused: new Map(),
  corrupt: new Set(),
};

/** What an operator has decided about a wallet, once. */
export const termsOf = (status: WalletStatus): Terms => ({ ...plainTerms, no: 1, status });

/** The states with one wallet changed; it is opened if it is not there. */
export function withWallet(states: States, ref: WalletRef, change: Partial<WalletState>): States {
  const wallet = { ...(states.wallets.get(ref.id) ?? newWallet(ref)), ...change };
  return { ...states, wallets: new Map([...states.wallets, [ref.id, wallet]]) };
}

const usedBy = (entries: readonly Entry[]): [string, bigint][] =>
  entries.flatMap((entry) =>
    entry.parentId === undefined
      ? []
      : [[usedKey(entry.wallet.id, entry.parentId), usedAfter(entry)]],
  );

/** The wallet domain at a time of the clock. */
export const createWalletDecider = (nowMs: number): Decider<States, Command, Decision> => ({
  decide: (states, command) => {
    const [decision] = decideBatch(states, [command], nowMs).decisions;
    if (!decision) throw new Error('a command was not decided');
    return decision;
  },
  outcomeOf: (decision) =>
    decision.kind === 'rejected' ? decision.rejection.reason : decision.kind,
  evolve: (states, command, decision) => {
    if (decision.kind === 'rejected') return states;
    const { changed, implied, holds: changedHolds } = decideBatch(states, [command], nowMs);
    const holds = new Map([...states.holds, ...changedHolds.map((h) => [h.id, h] as const)]);
    const ids = [...changed.map(({ id }) => id), ...states.due.keys()];
    const openOf = (id: string) =>
      [...holds.values()].filter((hold) => hold.walletId === id && hold.state === 'open');
    return {
      ...states,
      holds,
      // Those whose time is not over stay open.
      due: new Map(ids.map((id) => [id, openOf(id)])),
      openHolds: new Map(ids.map((id) => [id, openOf(id).length])),
      wallets: new Map([...states.wallets, ...changed.map((w) => [w.id, w] as const)]),
      entries: new Map([
        ...states.entries,
        ...implied.map((entry) => [entry.id, [entry]] as const),
        [command.transactionId, decision.entries],
      ]),
      used: new Map([...states.used, ...usedBy([...implied, ...decision.entries])]),
    };
  },
});
