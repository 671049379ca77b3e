import { hashBytes } from '../statement-format/chained-fields.ts';
import type { WalletRow } from './read-wallet.ts';
import { forgetSum, newSum, resetSum, type RunningSum } from './sums.ts';
import type { LastEntry } from './wallet-row.ts';

/** What is known of a wallet up to the entry that was looked at last. One object for all wallets. */
export type State = {
  id: string;
  wallet: WalletRow | undefined;
  ownerProblem: string | undefined;
  seq: number;
  entries: number;
  /** The hash that the next entry follows, if `hasPrevious`: the entry before is not missing. */
  readonly previous: Buffer;
  hasPrevious: boolean;
  /**
   * The hash that the entry before should have, where it has another: either may be what was
   * changed, and the next entry shows which.
   */
  computed: string;
  /** The entry before is not what it was. */
  isBad: boolean;
  readonly balance: RunningSum;
  /** Of all debits. */
  readonly debited: RunningSum;
  /** What is reserved. */
  readonly held: RunningSum;
  /** The lowest balance so far; 0 if none was below it. */
  lowestMinor: bigint;
  micros: number;
  /** The time of the last entry that is no release of an expired hold. */
  otherMicros: number;
};

export const newState = (): State => ({
  id: '',
  wallet: undefined,
  ownerProblem: undefined,
  seq: 0,
  entries: 0,
  previous: Buffer.alloc(hashBytes),
  hasPrevious: false,
  computed: '',
  isBad: false,
  balance: newSum(),
  debited: newSum(),
  held: newSum(),
  lowestMinor: 0n,
  micros: -Infinity,
  otherMicros: -Infinity,
});

/** An object of its own for each wallet would be most of what the pass allocates. */
export function reset(state: State): void {
  state.id = '';
  state.wallet = undefined;
  state.ownerProblem = undefined;
  state.seq = 0;
  state.entries = 0;
  state.hasPrevious = false;
  state.computed = '';
  state.isBad = false;
  resetSum(state.balance);
  resetSum(state.debited);
  resetSum(state.held);
  state.lowestMinor = 0n;
  state.micros = -Infinity;
  state.otherMicros = -Infinity;
}

/** The next entry has nothing to be held against. */
export function forget(state: State): void {
  state.hasPrevious = false;
  forgetSum(state.balance);
  forgetSum(state.debited);
  forgetSum(state.held);
}

export const toLast = (state: State): LastEntry => ({
  seq: state.seq,
  isBad: state.isBad,
  computed: state.computed,
  hash: state.hasPrevious ? state.previous.toString('latin1') : undefined,
  balance: state.balance,
  debited: state.debited,
  held: state.held,
  lowestMinor: state.lowestMinor,
  isWhole: state.entries === state.seq,
  micros: state.micros,
});
