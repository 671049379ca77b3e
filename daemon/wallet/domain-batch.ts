import type { Reason, Rejection } from '../../core/reasons.ts';
import {
  decide,
  newWallet,
  type Command,
  type Decision,
  type Entry,
  type States,
  type WalletState,
} from './domain.ts';

/**
 * Decides a batch as if one after the other, each seeing what the earlier ones did. `changed`
 * holds the wallets' states after the last command.
 */
export function decideBatch(
  states: States,
  commands: readonly Command[],
  nowMs: number,
): { readonly decisions: readonly Decision[]; readonly changed: readonly WalletState[] } {
  const wallets = new Map(states.wallets);
  const entries = new Map(states.entries);
  const undone = new Set(states.undone);
  const refused = new Map(states.refused);
  const changed = new Map<string, WalletState>();
  const current: States = { wallets, entries, undone, refused, corrupt: states.corrupt };
  const decisions = commands.map((command) => {
    const decision = decide(current, command, nowMs);
    if (decision.kind === 'rejected' && isRemembered(command, decision.rejection)) {
      refused.set(command.transactionId, decision.rejection);
    }
    if (decision.kind !== 'accepted') return decision;
    entries.set(command.transactionId, decision.entries);
    for (const entry of decision.entries) {
      const wallet = evolve(wallets.get(entry.wallet.id) ?? newWallet(entry.wallet), entry);
      wallets.set(wallet.id, wallet);
      changed.set(wallet.id, wallet);
      if (entry.parentId !== undefined) undone.add(entry.parentId);
    }
    return decision;
  });
  return { decisions, changed: [...changed.values()] };
}

/** True for a refusal that is kept with a message, so that its redelivery gets the same answer. */
export const isRemembered = (command: Command, rejection: Rejection): boolean =>
  command.callerClass === 'message' && !willPass.has(rejection.reason);

/** Not the message's fault, and over once an operator has looked into it, or the broker is back. */
const willPass = new Set<Reason>(['WALLET_CLOCK_AHEAD', 'WALLET_CORRUPT', 'OUTBOX_FULL']);

/** The wallet after an entry of its own. */
function evolve(wallet: WalletState, entry: Entry): WalletState {
  return {
    id: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    exponent: wallet.exponent,
    status: wallet.status,
    balanceMinor: entry.balanceAfterMinor,
    seq: entry.seq,
    lastAtMs: entry.occurredAtMs,
    readWatermarkMs: wallet.readWatermarkMs,
    aheadAcceptedMs: wallet.aheadAcceptedMs,
    lastHash: entry.hash,
  };
}
