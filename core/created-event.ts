import type { Operation } from './operations.ts';

/** The event of one transaction: the content of `transaction_created`, before it is JSON. */
export type CreatedEvent = {
  readonly id: string;
  readonly wallet: {
    readonly id: string;
    readonly userId: string;
    readonly currency: string;
    readonly exponent: number;
  };
  readonly seq: bigint;
  readonly operation: Operation;
  /** Above 0 credits the wallet, below 0 debits it. */
  readonly amountMinor: bigint;
  readonly balanceAfterMinor: bigint;
  readonly contraAccount: string;
  readonly parentId: string | undefined;
  readonly source: string;
  readonly actor: string;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly occurredAtMs: number;
  /** The hash of the wallet's transaction before, or its genesis hash; 64 hex digits. */
  readonly previousHash: string;
  /** `chainHash` over `previousHash` and the fields above; 64 hex digits. */
  readonly hash: string;
};
