/** What a generator process is to do. Times are in seconds, amounts in minor units. */
export type Job = {
  readonly kind:
    | 'stream'
    | 'streams'
    | 'transfers'
    | 'unary'
    | 'batch'
    | 'offer'
    | 'fund'
    | 'http'
    | 'http-batch'
    | 'http-ndjson';
  /** Of the HTTP gateway for `http…`, otherwise of gRPC. */
  readonly address: string;
  /** Of all daemons for gRPC; each gets a stream of its own, for `streams`. */
  readonly addresses: readonly string[];
  readonly token: string;
  /** Of several users, whose connections share the load; for `unary` and `offer`. */
  readonly tokens?: readonly string[];
  /** Of the idempotency keys: never the same twice. */
  readonly prefix: string;
  /** Customers 0 to this; each has one wallet. */
  readonly wallets: number;
  /** How far apart in the table neighbours of the load are; a prime. */
  readonly step?: number;
  readonly seconds: number;
  /** Transactions a second; absent: as many as the daemon takes. For `stream` and `offer`. */
  readonly rate?: number;
  /** Calls at any time; 64 if absent. For `unary` and `batch`. */
  readonly inFlight?: number;
};

export type Load = {
  /** Answers that came: done, and refused. */
  readonly done: number;
  readonly refused: number;
  /** Of a stream: how often each reason was given. */
  readonly reasons?: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** The generator's own processor time, as a share of one core. */
  readonly cpuShare: number;
  /** What became of an offer; with the others everything is done. */
  readonly offer?: Offer;
};

export type Offer = {
  /** Calls that were sent, and those that were due while all streams were taken. */
  readonly sent: number;
  readonly held: number;
  /** Done in the last two thirds of the time in which calls were due. */
  readonly donePerSecond: number;
  /** From sending a call to its answer, in milliseconds. */
  readonly done: Waits;
  readonly refused: Waits;
};

export type Waits = { readonly p50: number; readonly p99: number };

/** Transactions a second for which bodies are made beforehand; a load ends early without more. */
export const maxRate = 60_000;
