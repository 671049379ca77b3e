import type { Poison } from '../poison/kinds.ts';
import type { Called } from './calls.ts';
import type { FaultWindow } from './faults.ts';
import type { Step } from './plan.ts';

/** All that was asked of the product, and what was done to it. */
export type Asked = {
  /** In the order in which they were published. */
  readonly steps: readonly Step[];
  readonly called: readonly Called[];
  /** Poison events that were put into bundles. */
  readonly bundledPoison: readonly Poison[];
  /** True where one daemon handled the messages: then their order is the queue's. */
  readonly isOrdered: boolean;
  /** Wallets of messages that the broker refused once: the queue may have another order. */
  readonly looseWallets: ReadonlySet<string>;
  readonly windows: readonly FaultWindow[];
};
