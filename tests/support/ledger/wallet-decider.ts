import {
  decide,
  newWallet,
  type Command,
  type Decision,
  type States,
  type WalletRef,
  type WalletState,
} from '../../../daemon/wallet/domain.ts';
import { decideBatch } from '../../../daemon/wallet/domain-batch.ts';
import type { Decider } from './decider-spec.ts';

/** A ledger without wallets. */
export const noStates: States = {
  wallets: new Map(),
  entries: new Map(),
  undone: new Set(),
  refused: new Map(),
  corrupt: new Set(),
};

/** The states with one wallet changed; it is opened if it is not there. */
export function withWallet(states: States, ref: WalletRef, change: Partial<WalletState>): States {
  const wallet = { ...(states.wallets.get(ref.id) ?? newWallet(ref)), ...change };
  return { ...states, wallets: new Map([...states.wallets, [ref.id, wallet]]) };
}

/** The wallet domain at a time of the clock. */
export const createWalletDecider = (nowMs: number): Decider<States, Command, Decision> => ({
  decide: (states, command) => decide(states, command, nowMs),
  outcomeOf: (decision) =>
    decision.kind === 'rejected' ? decision.rejection.reason : decision.kind,
  evolve: (states, command, decision) => {
    if (decision.kind === 'rejected') return states;
    const { changed } = decideBatch(states, [command], nowMs);
    return {
      ...states,
      wallets: new Map([...states.wallets, ...changed.map((w) => [w.id, w] as const)]),
      entries: new Map([...states.entries, [command.transactionId, decision.entries]]),
      undone: new Set([...states.undone, ...(command.parentId ? [command.parentId] : [])]),
    };
  },
});
