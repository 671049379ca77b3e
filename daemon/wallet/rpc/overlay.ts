import type { Command, Decision, Entry, States, WalletState } from '../domain.ts';

/** What a dry run remembers of its own earlier items, since no database does. */
export type Overlay = {
  readonly wallets: Map<string, WalletState>;
  readonly entries: Map<string, readonly Entry[]>;
  readonly undone: Set<string>;
};

export const newOverlay = (): Overlay => ({
  wallets: new Map(),
  entries: new Map(),
  undone: new Set(),
});

/** What was read, as far as the commands concern it, with what the run did to it laid over it. */
export function overlayStates(
  overlay: Overlay,
  states: States,
  commands: readonly Command[],
): States {
  const wallets = new Map(states.wallets);
  const entries = new Map(states.entries);
  const undone = new Set(states.undone);
  for (const { wallet, transactionId, parentId } of commands) {
    const changed = overlay.wallets.get(wallet.id);
    if (changed) wallets.set(wallet.id, changed);
    for (const id of [transactionId, parentId]) {
      const known = id === undefined ? undefined : overlay.entries.get(id);
      if (id !== undefined && known) entries.set(id, known);
    }
    if (parentId !== undefined && overlay.undone.has(parentId)) undone.add(parentId);
  }
  return { ...states, wallets, entries, undone };
}

/** Adds what was decided to what is remembered. */
export function addToOverlay(
  overlay: Overlay,
  { decisions, changed }: { decisions: readonly Decision[]; changed: readonly WalletState[] },
): void {
  for (const wallet of changed) overlay.wallets.set(wallet.id, wallet);
  for (const decision of decisions) {
    if (decision.kind !== 'accepted') continue;
    for (const entry of decision.entries) {
      overlay.entries.set(entry.id, decision.entries);
      if (entry.parentId !== undefined) overlay.undone.add(entry.parentId);
    }
  }
}
