import { createState, type Request, type State } from '../support/ledger/wallet-model.ts';

/** Of each run: two customers with a wallet each, in one currency. */
export type Place = 0 | 1;

/** A request that was sent, and what the ledger must answer to it for ever. */
export type Sent = {
  readonly place: Place;
  readonly request: Request;
  /** The seq of its transaction; undefined for a refusal, which is decided again each time. */
  readonly seq: number | undefined;
};

/** What the daemon must know; kept without it. */
export type Model = {
  readonly wallets: readonly [State, State];
  readonly sent: Sent[];
  /** Balances as of a time and statements that were reported. */
  reports: number;
};

export const createModel = (): Model => ({
  wallets: [createState(), createState()],
  sent: [],
  reports: 0,
});
