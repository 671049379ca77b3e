import { setTimeout as sleep } from 'node:timers/promises';

import { networkOf } from '../../../../core/networks.ts';
import { refuse, type Result } from '../../../../core/reasons.ts';
import { createFairSemaphore, type FairSemaphore } from '../../concurrency/fair-semaphore.ts';
import { runPausable, type Pause } from '../../concurrency/pausable.ts';
import { createCounts } from './counts.ts';

type PublicLimits = {
  /**
   * Calls in flight that need no credential, of all networks. Past it, a network with none in
   * flight still gets one, up to twice as many in all.
   */
  readonly publicCalls: number;
  /** The same, from one network. */
  readonly publicCallsOfSource: number;
  /** The same, straight from programs on this machine. */
  readonly publicCallsOfHost: number;
};

type PublicContext = {
  readonly source: string;
  readonly isLocal?: boolean;
  readonly deadlineMs: number;
  isCancelled(): boolean;
};

/**
 * Calls without a credential that use the database at once: the auth database has ten connections
 * for all (app.ts), and these leave two to those who are signed in.
 */
const atOnce = 8;
/** Of one method, so that a flood of sign-ins does not hold up the refresh of sessions. */
const atOnceOfMethod = 4;

/** A key that no network has. */
const thisHost = 'this host';

/**
 * Runs calls without a credential: capped, a few at once, and fewer of one method. Networks take
 * turns, so that one that asks for much waits behind itself. `method` is the same object for each
 * call of a method.
 */
export function createPublicCalls(limits: PublicLimits) {
  const counts = createCounts();
  const semaphoreOf = (maxAtOnce: number): FairSemaphore =>
    createFairSemaphore({ maxAtOnce, maxWaiting: 2 * limits.publicCalls, maxWaitingOf: [] });
  const all = semaphoreOf(atOnce);
  const ofMethod = new WeakMap<object, FairSemaphore>();
  const delayed = createDelay(limits);
  const run = async <C extends PublicContext, T>(
    method: object,
    context: C,
    work: (context: C & { readonly pause: Pause }) => Promise<Result<T>>,
  ): Promise<Result<T>> => {
    const network = context.isLocal ? thisHost : networkOf(context.source);
    const most = network === thisHost ? limits.publicCallsOfHost : limits.publicCallsOfSource;
    const isFull = counts.total() >= limits.publicCalls * (counts.has(network) ? 1 : 2);
    if (isFull || !counts.take(network, most)) {
      await delayed.run(network);
      return tooManyLikeThis;
    }
    const semaphore = ofMethod.get(method) ?? semaphoreOf(atOnceOfMethod);
    ofMethod.set(method, semaphore);
    try {
      const turn = { ...context, path: [network] };
      return await runPausable([semaphore, all], turn, (pause) => work({ ...context, pause }));
    } finally {
      counts.release(network);
    }
  };
  return { run, size: counts.total };
}

const refusalDelayMs = 250;

/** Makes a refusal wait, so that it is not asked for again at once; a few of each network. */
function createDelay(limits: PublicLimits) {
  const counts = createCounts();
  return {
    run: async (network: string): Promise<void> => {
      if (counts.total() >= limits.publicCalls) return;
      if (!counts.take(network, 2 * limits.publicCallsOfSource)) return;
      await sleep(refusalDelayMs);
      counts.release(network);
    },
  };
}

const tooManyLikeThis = refuse(
  'OVERLOADED',
  'too many calls like this one are in flight: nothing was done, try again shortly',
);
