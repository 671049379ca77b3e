import { readClock, type Tx } from '../../platform/db/db.ts';
import { decideBatch } from '../domain-batch.ts';
import { walletsToOpen, type WalletRef } from '../domain.ts';
import type { AuditedCommand } from '../requests/audited-command.ts';
import type { DefaultLimits } from '../store/rare-states.ts';
import { distinctWallets, readStates } from '../store/states.ts';
import { readWallets } from '../store/store.ts';

/** Wallets that another transaction was opening a moment ago. */
export type WalletOpenings = {
  isElsewhere(walletId: string): boolean;
  noteElsewhere(walletId: string): void;
};

const elsewhereMs = 500;

export function createWalletOpenings(): WalletOpenings {
  const untilMs = new Map<string, number>();
  return {
    isElsewhere: (id) => (untilMs.get(id) ?? 0) > performance.now(),
    noteElsewhere: (id) => {
      const nowMs = performance.now();
      for (const [known, endMs] of untilMs) if (endMs <= nowMs) untilMs.delete(known);
      untilMs.set(id, nowMs + elsewhereMs);
    },
  };
}

/** The wallets that these commands may open, each once. */
export function refsToOpen(commands: readonly AuditedCommand[]): WalletRef[] {
  const refs = new Map<string, WalletRef>();
  for (const command of commands) for (const ref of walletsToOpen(command)) refs.set(ref.id, ref);
  return [...refs.values()];
}

/**
 * The wallets to open: of deposits, and of those who are paid by a transfer or a capture that can
 * be made. A refused one opens none, and a refused group opens none.
 */
export async function findToOpen(
  tx: Tx,
  commands: readonly AuditedCommand[],
  defaultLimits: DefaultLimits,
): Promise<WalletRef[]> {
  const conditional = commands.filter((command) => !alwaysOpens(command) && isPayment(command));
  if (conditional.length === 0) return refsToOpen(commands);
  const refs = distinctWallets(commands);
  const wallets = await readWallets(tx, refs, 'none');
  const known = new Set(wallets.map(({ id }) => id));
  if (refsToOpen(conditional).every(({ id }) => known.has(id))) return refsToOpen(commands);
  const clockMs = await readClock(tx);
  const states = await readStates(tx, commands, wallets, clockMs, defaultLimits);
  const { decisions } = decideBatch(states, commands, clockMs);
  return refsToOpen(
    commands.filter((command, i) => alwaysOpens(command) || decisions[i]?.kind === 'accepted'),
  );
}

/** A refused deposit leaves a wallet behind, unless it is in a group. */
const alwaysOpens = ({ operation, more }: AuditedCommand): boolean =>
  operation === 'deposit' && more?.group === undefined;

const isPayment = ({ operation, more }: AuditedCommand): boolean =>
  operation === 'deposit' || more?.other !== undefined;
