import {
  applyDone,
  createState,
  revertDone,
  type State,
} from '../../../support/ledger/wallet-model.ts';
import { decideEffect, isSeenIn } from './model.ts';
import type { WalletOperation } from './operations.ts';

/**
 * Tries every order of every choice of what took effect: the oracle for the fast search. For a few
 * operations only.
 */
export function isLinearizable(operations: readonly WalletOperation[]): boolean {
  return tryAll(createState(), operations);
}

function tryAll(state: State, left: readonly WalletOperation[]): boolean {
  const isOptional = (one: WalletOperation): boolean => one.kind === 'effect' && !one.isRequired;
  if (left.every(isOptional)) return true;
  return left.some((one) => {
    const others = left.filter((other) => other !== one);
    const mustWait = left.some((other) => !isOptional(other) && other.endMs < one.startMs);
    if (mustWait) return false;
    if (one.kind !== 'effect') return isSeenIn(state, one) && tryAll(state, others);
    const done = decideEffect(state, one);
    if (!done) return false;
    applyDone(state, done);
    const isFound = tryAll(state, others);
    revertDone(state, done);
    return isFound;
  });
}
