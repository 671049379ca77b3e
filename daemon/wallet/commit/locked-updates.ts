import type { Tx } from '../../platform/db/db.ts';
import type { Decision, States, WalletState } from '../domain.ts';
import type { DecidedBatch } from '../domain-batch.ts';
import type { AuditedCommand } from '../requests/audited-command.ts';
import { lowerFloorsTo, updateNextExpiry, updateWallets } from '../store/writes.ts';

/** Locked wallets as they were read, and what was decided on: both by this commit. */
type Known = { readonly read: readonly WalletState[]; readonly states: States };

/** Updates the rows of locked wallets to what was decided. */
export async function updateLocked(
  tx: Tx,
  commands: readonly AuditedCommand[],
  { decisions, changed }: Pick<DecidedBatch, 'decisions' | 'changed'>,
  { read, states }: Known,
): Promise<void> {
  await lowerFloors(tx, commands, decisions);
  if (changed.length > 0) await updateWallets(tx, changed);
  await updateNextExpiry(tx, findStale(read, states, changed));
}

/**
 * Wallets that stay as they are, but for a hold that had ended before its time: the next commits
 * need no lock for it. Not those with holds to be released, which were not: all their commands were
 * refused before.
 */
function findStale(
  read: readonly WalletState[],
  { wallets, due }: States,
  changed: readonly WalletState[],
): WalletState[] {
  const stale: WalletState[] = [];
  for (const { id, held } of read) {
    const known = held && !due.has(id) ? wallets.get(id) : undefined;
    if (!known || known.held?.nextExpiryMs === held?.nextExpiryMs) continue;
    // Its commands wait for another wallet: what has ended is still to be released.
    if (due.has(id)) continue;
    if (!changed.some((wallet) => wallet.id === id)) stale.push(known);
  }
  return stale;
}

/** Lets the wallets that forced commands take below zero be so, however deep in between. */
async function lowerFloors(
  tx: Tx,
  commands: readonly AuditedCommand[],
  decisions: readonly Decision[],
): Promise<void> {
  const lowest = new Map<string, bigint>();
  for (const [i, { more }] of commands.entries()) {
    const decision = decisions[i];
    if (more?.isForced !== true || decision?.kind !== 'accepted') continue;
    for (const { wallet, balanceAfterMinor } of decision.entries) {
      const floorMinor = lowest.get(wallet.id) ?? 0n;
      if (balanceAfterMinor < floorMinor) lowest.set(wallet.id, balanceAfterMinor);
    }
  }
  await lowerFloorsTo(
    tx,
    [...lowest].map(([id, balanceMinor]) => ({ id, balanceMinor })),
  );
}
