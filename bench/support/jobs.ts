/** What a generator process is to do. Times are in seconds, amounts in minor units. */
export type Job = {
  readonly kind: 'stream' | 'unary' | 'fund';
  readonly address: string;
  readonly token: string;
  /** Of the idempotency keys: never the same twice. */
  readonly prefix: string;
  /** Customers 0 to this; each has one wallet. */
  readonly wallets: number;
  readonly seconds: number;
  /** Transactions a second; absent: as many as the daemon takes. For `stream` only. */
  readonly rate?: number;
};

export type Load = {
  /** Answers that came: done, and refused. */
  readonly done: number;
  readonly refused: number;
  readonly seconds: number;
  /** The generator's own processor time, as a share of one core. */
  readonly cpuShare: number;
};

/** Transactions a second for which bodies are made beforehand; a load ends early without more. */
export const maxRate = 60_000;
