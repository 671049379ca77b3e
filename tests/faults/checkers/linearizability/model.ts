import {
  decideRequest,
  decideSide,
  type Done,
  type State,
} from '../../../support/ledger/wallet-model.ts';
import type { Effect, Observation } from './operations.ts';

/** What the effect does to the wallet in this state; undefined if it cannot happen there. */
export function decideEffect(state: State, effect: Effect): Done | undefined {
  if (effect.seq !== undefined && effect.seq !== state.seq + 1) return undefined;
  const { side } = effect;
  const verdict = side ? decideSide(state, side) : decideRequest(state, effect.wanted);
  if (verdict.kind !== 'accepted') return undefined;
  const { done } = verdict;
  const balanceMinor = state.balanceMinor + done.amountMinor;
  const isAsAnswered =
    effect.balanceAfterMinor === undefined || effect.balanceAfterMinor === balanceMinor;
  return isAsAnswered ? done : undefined;
}

/** True if this could be seen in this state. */
export function isSeenIn(state: State, seen: Observation): boolean {
  const isBalance = seen.balanceMinor === undefined || seen.balanceMinor === state.balanceMinor;
  if (!isBalance) return false;
  if (seen.kind === 'read') return seen.seq === state.seq;
  const { side } = seen;
  const verdict = side ? decideSide(state, side) : decideRequest(state, seen.wanted);
  return verdict.kind === 'rejected' && verdict.reason === seen.reason;
}
