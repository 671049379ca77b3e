import type { ChainedFields } from '../chain.ts';

/** The event of one transaction: the content of `transaction_created`, before it is JSON. */
export type CreatedEvent = ChainedFields & {
  readonly wallet: {
    readonly id: string;
    readonly userId: string;
    readonly currency: string;
    readonly exponent: number;
  };
  /** The hash of the wallet's transaction before, or its genesis hash; 64 hex digits. */
  readonly previousHash: string;
  /** `chainHash` over `previousHash` and the chained fields; 64 hex digits. */
  readonly hash: string;
};
