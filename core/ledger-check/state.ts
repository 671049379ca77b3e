import { hashBytes } from '../statement-format/chained-fields.ts';
import type { WalletRow } from './rows.ts';
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
  /** Its balance; NaN where `balanceMinor` has it, or it is unknown. */
  balance: number;
  balanceMinor: bigint | undefined;
  /** What the balance of the entry before should be, where it has another. */
  expectedMinor: bigint | undefined;
  micros: number;
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
  balance: 0,
  balanceMinor: undefined,
  expectedMinor: undefined,
  micros: -Infinity,
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
  state.balance = 0;
  state.balanceMinor = undefined;
  state.expectedMinor = undefined;
  state.micros = -Infinity;
}

/** The next entry has nothing to be held against. */
export function forget(state: State): void {
  state.hasPrevious = false;
  state.balance = NaN;
  state.balanceMinor = undefined;
}

/** The balance of the entry before; undefined if it is unknown. */
export const balanceOf = ({ balance, balanceMinor }: State): bigint | undefined =>
  Number.isNaN(balance) ? balanceMinor : BigInt(balance);

export const toLast = (state: State): LastEntry => ({
  seq: state.seq,
  isBad: state.isBad,
  computed: state.computed,
  hash: state.hasPrevious ? state.previous.toString('latin1') : undefined,
  balanceMinor: balanceOf(state),
  expectedMinor: state.expectedMinor,
  micros: state.micros,
});
