import { createHmac } from 'node:crypto';

import { networkOf } from '../../../core/networks.ts';
import type { Result } from '../../../core/reasons.ts';
import type { Db, Tx } from '../../platform/db/db.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import type { Log } from '../../platform/log.ts';
import * as limits from '../domain.ts';
import { createAttempts, throttled } from './attempts.ts';
import {
  clearAttempts,
  findStates,
  returnAttempt,
  takeAttempt,
  type Bucket,
  type Taken,
} from './store.ts';
import type { FairCaller } from './fair-caller.ts';

/**
 * What became of an attempt: `failed` stays counted; `passed` takes itself back, or clears what was
 * counted in a row; `void` takes itself back, since nothing was tried.
 */
export type Attempted<T> = {
  readonly outcome: 'failed' | 'passed' | 'void';
  readonly result: Result<T>;
};

type GuardOptions = {
  readonly fairCaller: FairCaller;
  /** Counts successes. Past its limit a success stays counted as if it had failed. */
  readonly successes?: readonly Bucket[];
};

export type Throttle = {
  /**
   * Takes an attempt of every bucket, and only then does the work. Where one of them lets none in
   * now, the attempt waits in line for some seconds; after that it is THROTTLED, with
   * `retryAfterSeconds`, and the work is not begun. The first bucket is that of the narrowest
   * group.
   */
  guard<T>(
    buckets: readonly Bucket[],
    work: () => Promise<Attempted<T>>,
    options: GuardOptions,
  ): Promise<Result<T>>;
  /** Counts in the caller's transaction; false if no more are let through. */
  count(tx: Tx, bucket: Bucket): Promise<boolean>;
  /** The refusal for a bucket that does not let anything through now. */
  explain(tx: Tx, bucket: Bucket): Promise<Result<never>>;
  /** The buckets there are. An address has one whether or not it has an account. */
  readonly bucketOf: Readonly<Record<OneKey, (text: string) => Bucket>> & {
    /** An account as seen from one network; of IPv6 the /48, which one customer can have. */
    pair(address: string, source: string): Bucket;
    /** Mails of one kind to one address that tell the owner of something. */
    notices(kind: string, address: string): Bucket;
  };
};

type OneKey =
  | 'firstTries'
  | 'furtherTries'
  | 'device'
  | 'devicesOf'
  | 'devicesFrom'
  | 'session'
  | 'refreshesOf'
  | 'signInsFrom'
  | 'codesFrom'
  | 'signUpsFrom'
  | 'signUpPlacesOf'
  | 'mailsTo'
  | 'resetsFrom'
  | 'resetMailsTo'
  | 'changesOf'
  | 'recipientMissesOf'
  | 'recipientHitsOf'
  | 'changeMailsTo'
  | 'successesOf'
  | 'successesFrom';

/** Counters in the database: all daemons share them, and a restart forgets nothing. */
export function createThrottle({
  db,
  secret,
  log,
}: {
  readonly db: Db;
  readonly secret: Buffer;
  readonly log?: Log;
}): Throttle {
  const attempts = createAttempts({ db, log });
  const bucket = (kind: string, text: string, limit: limits.AttemptLimit): Bucket => ({
    key: createHmac('sha256', secret).update(`${kind}:${text}`).digest(),
    limit,
  });
  const from = (kind: string, source: string, limit: limits.AttemptLimit): Bucket =>
    bucket(kind, networkOf(source), limit);
  return {
    guard: async (buckets, work, { fairCaller, successes = [] }) => {
      const admitted = await attempts.take(buckets, fairCaller);
      if (!admitted.ok) return admitted;
      const taken = admitted.value;
      const release = async (outcome: 'passed' | 'void'): Promise<void> => {
        await giveBackAll(db, taken, outcome, successes);
        attempts.wake(buckets);
      };
      try {
        const { outcome, result } = await work();
        if (outcome !== 'failed') await release(outcome);
        return result;
      } catch (err) {
        // Given up while it was worked on: the hash is done by then, and counts.
        if (findTransientRejection(err)?.reason !== 'CANCELLED') await release('void');
        throw err;
      }
    },
    count: async (tx, { key, limit }) => (await takeAttempt(tx, key, limit)) !== undefined,
    explain,
    bucketOf: {
      firstTries: (address) => ({
        ...bucket('first', address, limits.firstTriesLimit),
        counts: (number) => number <= limits.firstTries,
      }),
      furtherTries: (address) => ({
        ...bucket('account', address, limits.accountLimit),
        counts: (number) => number > limits.firstTries,
      }),
      pair: (address, source) =>
        bucket('pair', `${wideNetworkOf(source)} ${address}`, limits.pairLimit),
      device: (deviceId) => bucket('device', deviceId, limits.guessLimit),
      devicesOf: (address) => bucket('devices', address, limits.devicesLimit),
      devicesFrom: (source) => from('device sign-ins', source, limits.sourceLimit),
      session: (sessionId) => bucket('session', sessionId, limits.guessLimit),
      refreshesOf: (sessionId) => bucket('refreshes', sessionId, limits.refreshLimit),
      signInsFrom: (source) => from('sign-ins', source, limits.sourceLimit),
      codesFrom: (source) => from('codes', source, limits.sourceLimit),
      signUpsFrom: (source) => from('sign-ups', source, limits.signUpLimit),
      signUpPlacesOf: (source) => bucket('places', wideNetworkOf(source), limits.signUpLimit),
      mailsTo: (address) => bucket('mails', address, limits.signUpMailLimit),
      resetsFrom: (source) => from('resets', source, limits.resetRequestLimit),
      resetMailsTo: (address) => bucket('reset mails', address, limits.resetMailLimit),
      changesOf: (userId) => bucket('changes', userId, limits.changeRequestLimit),
      recipientMissesOf: (userId) => bucket('recipient misses', userId, limits.recipientMissLimit),
      recipientHitsOf: (userId) => bucket('recipient hits', userId, limits.recipientHitLimit),
      changeMailsTo: (address) => bucket('change mails', address, limits.changeMailLimit),
      notices: (kind, address) => bucket(`notices ${kind}`, address, limits.noticeLimit),
      successesOf: (address) => bucket('successes', address, limits.accountSuccessLimit),
      successesFrom: (source) => from('successes from', source, limits.sourceSuccessLimit),
    },
  };
}

async function explain(tx: Tx, bucket: Bucket): Promise<Result<never>> {
  const [state] = await findStates(tx, [bucket]);
  return throttled(state?.waitMs ?? 0);
}

/** An IPv4 address, or the first 48 bits of an IPv6 address. */
function wideNetworkOf(source: string): string {
  const network = networkOf(source);
  if (!network.includes(':')) return network;
  return `${network.split(':').slice(0, 3).join(':')}::/48`;
}

/** A database that fails here costs its caller one attempt, and no more: the answer stands. */
async function giveBackAll(
  db: Db,
  taken: readonly Taken[],
  outcome: 'passed' | 'void',
  successes: readonly Bucket[],
): Promise<void> {
  const work = async (tx: Tx): Promise<void> => {
    if (outcome === 'passed') {
      const counted = await Promise.all(
        successes.map(({ key, limit }) => takeAttempt(tx, key, limit)),
      );
      if (counted.includes(undefined)) return;
    }
    const returned = taken.map(({ bucket, number }) => {
      const { isConsecutive, isOnlyReturned } = bucket.limit;
      const isCleared = outcome === 'passed' && isConsecutive && isOnlyReturned !== true;
      return isCleared
        ? clearAttempts(tx, bucket.key)
        : returnAttempt(tx, bucket.key, number, bucket.limit);
    });
    await Promise.all(returned);
  };
  await db.tx(work).catch(() => undefined);
}
