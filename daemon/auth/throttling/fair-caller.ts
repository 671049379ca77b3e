import { networkOf } from '../../../core/networks.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';

/** For whom work is done that costs much, so that it is shared out by network and account. */
export type FairCaller = {
  readonly network: string;
  /** An address or a user's id; it need not exist. */
  readonly account: string;
  readonly deadlineMs: number;
  isCancelled(): boolean;
  /** Does work that uses no connection of the database. */
  pause<T>(work: () => Promise<T>): Promise<T>;
};

/** Texts from outside are not kept longer than an address can be. */
const maxAccountLength = 254;

export function fairCallerOf(
  context: Pick<CallContext, 'source' | 'deadlineMs' | 'isCancelled' | 'pause'>,
  account: string,
): FairCaller {
  return {
    network: networkOf(context.source),
    account: account.slice(0, maxAccountLength),
    deadlineMs: context.deadlineMs,
    isCancelled: () => context.isCancelled(),
    pause: (work) => (context.pause ? context.pause(work) : work()),
  };
}

/** A command on the host: no other work is there to share with. */
export const hostCaller: FairCaller = {
  network: 'host',
  account: 'host',
  deadlineMs: Infinity,
  isCancelled: () => false,
  pause: (work) => work(),
};
