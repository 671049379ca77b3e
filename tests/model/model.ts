import {
  createState,
  type Done,
  type Request,
  type State,
} from '../support/ledger/wallet-model.ts';

/** Of each run: two customers with a wallet each, in one currency. */
export type Place = 0 | 1;

/** Who asks: a customer, or an operator, who may use the wallets of both. */
export type Caller = Place | 'staff';

/** A request that was sent. What was refused is decided again each time. */
export type Sent = {
  readonly caller: Caller;
  readonly place: Place;
  readonly request: Request;
  readonly groupId?: string;
};

export type Status = 'active' | 'frozen' | 'debits_frozen' | 'closed';

/** Spending limits, in minor units; undefined: none. */
export type Limits = { readonly perTransactionMinor: bigint; readonly dayMinor: bigint };

/** What the daemon must know; kept without it. */
export type Model = {
  readonly wallets: readonly [State, State];
  readonly statuses: [Status, Status];
  readonly limits: [Limits | undefined, Limits | undefined];
  readonly sent: Sent[];
  /** The seq of each transaction, by its id. */
  readonly seqs: Map<string, number>;
  /** Balances as of a time and statements that were reported. */
  reports: number;
  /** That were compared with what the daemon answered. */
  answers: number;
};

export const createModel = (): Model => ({
  wallets: [createState(), createState()],
  statuses: ['active', 'active'],
  limits: [undefined, undefined],
  ...{ sent: [], seqs: new Map(), reports: 0, answers: 0 },
});

/** By its first transaction. */
export const isOpened = (model: Model, place: Place): boolean => model.wallets[place].seq > 0;

/** What a statement shows: a hold and its release move nothing. */
export const listMoved = (done: ReadonlyMap<string, Done>): string[] =>
  [...done.values()].filter(({ amountMinor }) => amountMinor !== 0n).map(({ id }) => id);
