import { networkOf } from '../../../../core/networks.ts';
import { createTokenBucket, type TokenBucketLimits } from '../../concurrency/token-bucket.ts';

export type RefusedCredentialLimits = TokenBucketLimits & {
  /**
   * Networks that are remembered at once; past it the one that was quiet for longest is forgotten.
   */
  readonly networks: number;
};

/**
 * A refused credential costs 1, or 3 where it had to be looked at. So one network gets some 330
 * looks a second, however many connections it has, and calls that it keeps in flight wait.
 */
export const refusedCredentialLimits: RefusedCredentialLimits = {
  perSecond: 1_000,
  burst: 1_500,
  maxWaitMs: 10_000,
  networks: 10_000,
};

export type RefusedCredentials = {
  /**
   * Answers a call whose credential was not accepted: at once, or later where its network had more
   * of these than it may. Credentials that are accepted never wait here.
   */
  answer(source: string, act: () => void, cost: number): void;
  /** Answers at once what waits and what still comes: the server stops. */
  answerAll(): void;
  /** Answers that wait. */
  size(): number;
};

/**
 * Slows down networks that show credentials which are not accepted: a call that is not answered
 * keeps its place among those that its connection may have open, so a flood slows down by itself.
 */
export function createRefusedCredentials(
  limits: RefusedCredentialLimits = refusedCredentialLimits,
): RefusedCredentials {
  const buckets = new Map<string, ReturnType<typeof createTokenBucket>>();
  const waiting = new Set<() => void>();
  let isStopping = false;
  const bucketOf = (network: string): ReturnType<typeof createTokenBucket> => {
    const bucket = buckets.get(network) ?? createTokenBucket(limits, clock);
    buckets.delete(network);
    if (buckets.size >= limits.networks) {
      const [quietest] = buckets.keys();
      if (quietest !== undefined) buckets.delete(quietest);
    }
    buckets.set(network, bucket);
    return bucket;
  };
  return {
    answer: (source, act, cost) => {
      const once = (): void => {
        if (waiting.delete(once)) act();
      };
      waiting.add(once);
      if (isStopping) once();
      else bucketOf(networkOf(source))(once, cost);
    },
    answerAll: () => {
      isStopping = true;
      for (const once of waiting) once();
    },
    size: () => waiting.size,
  };
}

const clock = {
  nowMs: (): number => performance.now(),
  wait: (durationMs: number, onTime: () => void): void => void setTimeout(onTime, durationMs),
};
