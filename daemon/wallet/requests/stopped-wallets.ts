import type { Rejection } from '../../../core/reasons.ts';
import { walletsOf, type Command } from '../domain.ts';

export type StoppedWallets = ReturnType<typeof createStoppedWallets>;

/**
 * Wallets on which a caller's later commands are not begun, each with the refusal that these get:
 * they must not overtake what was given up.
 */
export function createStoppedWallets() {
  const refusals = new Map<string, Rejection>();
  return {
    isEmpty: (): boolean => refusals.size === 0,
    add: (command: Command, rejection: Rejection): void => {
      for (const { id } of walletsOf(command)) if (!refusals.has(id)) refusals.set(id, rejection);
    },
    find: (command: Command): Rejection | undefined => {
      if (refusals.size === 0) return undefined;
      for (const { id } of walletsOf(command)) {
        const refusal = refusals.get(id);
        if (refusal) return refusal;
      }
      return undefined;
    },
  };
}
