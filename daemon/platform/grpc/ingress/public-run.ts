import { networkOf } from '../../../../core/networks.ts';
import { refuse, type Result } from '../../../../core/reasons.ts';
import { createFairGate, type FairGate } from './fair-gate.ts';
import { createFairPool } from './fair-pool.ts';

type PublicLimits = {
  /** Calls in flight that need no credential, of everybody. */
  readonly publicCalls: number;
  /** The same, from one network. */
  readonly publicCallsOfSource: number;
  /** The same, straight from programs on this machine. */
  readonly publicCallsOfHost: number;
};

type PublicContext = {
  readonly source: string;
  readonly isLocal?: boolean;
  isCancelled(): boolean;
};

/**
 * Calls without a credential that are worked on at once: the auth database has ten connections for
 * everybody (app.ts), and these leave two to those who are signed in.
 */
const atOnce = 8;
/** Of one method, so that a flood of sign-ins does not hold up the refresh of sessions. */
const atOnceOfMethod = 4;

/** No network has this name. */
const thisHost = 'this host';

/**
 * Runs calls without a credential: a few at once, fewer of one method, and each network in its turn.
 * No network holds more than its part of all that wait; when there are as many as there may be, the
 * one that has waited longest of the network that has most makes room for a network that has fewer.
 * `method` is the same object for each call of a method.
 */
export function createPublicRun(limits: PublicLimits) {
  const pool = createFairPool(
    {
      all: limits.publicCalls,
      ofOne: (network) =>
        network === thisHost ? limits.publicCallsOfHost : limits.publicCallsOfSource,
      replacesOwn: false,
    },
    () => performance.now(),
  );
  const publicGate = createFairGate(atOnce);
  const methodGates = new WeakMap<object, FairGate>();
  return async <C extends PublicContext, T>(
    method: object,
    context: C,
    work: (context: C) => Promise<Result<T>>,
  ): Promise<Result<T>> => {
    const network = context.isLocal ? thisHost : networkOf(context.source);
    const waiting = startWaiting();
    const place = pool.take(network, waiting);
    if (typeof place !== 'object') return tooManyLikeThis;
    const gate = methodGates.get(method) ?? createFairGate(atOnceOfMethod);
    methodGates.set(method, gate);
    const begin = (): Promise<Result<T>> => {
      // What nobody waits for any more is not begun.
      if (waiting.isEnded()) return Promise.resolve(tooManyLikeThis);
      if (context.isCancelled()) return Promise.resolve(gone);
      waiting.stop();
      return work(context);
    };
    const run = gate.run(network, () => publicGate.run<Result<T>>(network, begin));
    try {
      return await Promise.race([run, waiting.ended]);
    } finally {
      place.release();
    }
  };
}

/** A call that waits: it may be refused to make room until it is begun. */
function startWaiting() {
  const sinceMs = performance.now();
  const state = { isWaiting: true, isEnded: false };
  let end: () => void = () => undefined;
  const ended = new Promise<typeof tooManyLikeThis>((resolve) => {
    end = () => {
      state.isEnded = true;
      resolve(tooManyLikeThis);
    };
  });
  return {
    ended,
    findIdleSinceMs: () => (state.isWaiting && !state.isEnded ? sinceMs : undefined),
    end: () => end(),
    isEnded: () => state.isEnded,
    stop: () => void (state.isWaiting = false),
  };
}

const tooManyLikeThis = refuse(
  'OVERLOADED',
  'too many calls like this one are in hand: nothing was done, try again shortly',
);
const gone = refuse('CANCELLED', 'the call was given up before it was begun');
