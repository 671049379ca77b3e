import { createHmac } from 'node:crypto';

import { refuse, type Result } from '../../core/reasons.ts';
import type { Db, Tx } from '../platform/db.ts';
import {
  changeMailLimit,
  changeRequestLimit,
  guessLimit,
  networkOf,
  noticeLimit,
  resetMailLimit,
  resetRequestLimit,
  signUpLimit,
  signUpMailLimit,
  sourceLimit,
  type AttemptLimit,
} from './domain.ts';
import { createLimit } from './limit.ts';
import { clearAttempts, findWait, returnAttempt, takeAttempt } from './throttle-store.ts';

/** Something against which attempts count. */
type Bucket = { readonly key: Buffer; readonly limit: AttemptLimit };

/**
 * What became of an attempt: `failed` stays counted; `passed` clears what was counted in a row, and
 * is itself given back; `void` is given back, since nothing was tried.
 */
export type Attempted<T> = {
  readonly outcome: 'failed' | 'passed' | 'void';
  readonly result: Result<T>;
};

export type Throttle = {
  /**
   * Takes an attempt of every bucket, and only then does the work. THROTTLED if one of them lets
   * nobody in, with `retryAfterSeconds`; the work is not begun then.
   */
  guard<T>(buckets: readonly Bucket[], work: () => Promise<Attempted<T>>): Promise<Result<T>>;
  /** Counts in the caller's transaction; false if no more are let through. */
  count(tx: Tx, bucket: Bucket): Promise<boolean>;
  /** The buckets there are. An address has one whether or not it has an account. */
  readonly bucketOf: {
    account(address: string): Bucket;
    device(deviceId: string): Bucket;
    session(sessionId: string): Bucket;
    signInsFrom(source: string): Bucket;
    codesFrom(source: string): Bucket;
    signUpsFrom(source: string): Bucket;
    mailsTo(address: string): Bucket;
    resetsFrom(source: string): Bucket;
    resetMailsTo(address: string): Bucket;
    changesOf(userId: string): Bucket;
    changeMailsTo(address: string): Bucket;
    notices(kind: string, address: string): Bucket;
  };
};

/** So that a flood of guesses leaves connections to everybody else. */
const waitingRoom = { maxAtOnce: 4, maxWaiting: 1_000 };

type Taken = { readonly bucket: Bucket; readonly number: number };

/** Counters in the database: all daemons share them, and a restart forgets nothing. */
export function createThrottle({
  db,
  secret,
}: {
  readonly db: Db;
  readonly secret: Buffer;
}): Throttle {
  const limit = createLimit(waitingRoom);
  const bucketOf = (kind: string, text: string, limit: AttemptLimit): Bucket => ({
    key: createHmac('sha256', secret).update(`${kind}:${text}`).digest(),
    limit,
  });
  return {
    guard: async (buckets, work) => {
      const admitted = await limit(() => db.tx((tx) => takeUnlessBlocked(tx, buckets)));
      if (!admitted.ok) return admitted;
      const taken = admitted.value;
      if (typeof taken === 'number') return throttled(taken);
      try {
        const { outcome, result } = await work();
        if (outcome !== 'failed') await release(db, taken, outcome);
        return result;
      } catch (err) {
        await release(db, taken, 'void');
        throw err;
      }
    },
    count: async (tx, { key, limit }) => (await takeAttempt(tx, key, limit)) !== undefined,
    bucketOf: {
      account: (address) => bucketOf('account', address, guessLimit),
      device: (deviceId) => bucketOf('device', deviceId, guessLimit),
      session: (sessionId) => bucketOf('session', sessionId, guessLimit),
      signInsFrom: (source) => bucketOf('sign-ins', networkOf(source), sourceLimit),
      codesFrom: (source) => bucketOf('codes', networkOf(source), sourceLimit),
      signUpsFrom: (source) => bucketOf('sign-ups', networkOf(source), signUpLimit),
      mailsTo: (address) => bucketOf('mails', address, signUpMailLimit),
      resetsFrom: (source) => bucketOf('resets', networkOf(source), resetRequestLimit),
      resetMailsTo: (address) => bucketOf('reset mails', address, resetMailLimit),
      changesOf: (userId) => bucketOf('changes', userId, changeRequestLimit),
      changeMailsTo: (address) => bucketOf('change mails', address, changeMailLimit),
      notices: (kind, address) => bucketOf(`notices ${kind}`, address, noticeLimit),
    },
  };
}

const findWaitOf = (tx: Tx, buckets: readonly Bucket[]): Promise<number> =>
  findWait(
    tx,
    buckets.map(({ key }) => key),
  );

/** What is blocked already costs one look: no lock, and no write. */
async function takeUnlessBlocked(
  tx: Tx,
  buckets: readonly Bucket[],
): Promise<readonly Taken[] | number> {
  const waitSeconds = await findWaitOf(tx, buckets);
  return waitSeconds > 0 ? waitSeconds : takeAll(tx, buckets);
}

/** An attempt of each bucket; or of none, and the seconds to wait. */
async function takeAll(tx: Tx, buckets: readonly Bucket[]): Promise<readonly Taken[] | number> {
  const taken: Taken[] = [];
  for (const bucket of buckets) {
    const number = await takeAttempt(tx, bucket.key, bucket.limit);
    if (number === undefined) {
      for (const one of taken) await giveBack(tx, one);
      return Math.max(1, await findWaitOf(tx, [bucket]));
    }
    taken.push({ bucket, number });
  }
  return taken;
}

const giveBack = (tx: Tx, { bucket, number }: Taken): Promise<void> =>
  returnAttempt(tx, bucket.key, number, bucket.limit);

/** A database that fails here costs its caller one attempt, and no more: the answer stands. */
async function release(db: Db, taken: readonly Taken[], outcome: 'passed' | 'void'): Promise<void> {
  const work = async (tx: Tx): Promise<void> => {
    for (const one of taken) {
      const isCleared = outcome === 'passed' && one.bucket.limit.isConsecutive;
      await (isCleared ? clearAttempts(tx, one.bucket.key) : giveBack(tx, one));
    }
  };
  await db.tx(work).catch(() => undefined);
}

/** The same for all buckets: it must not tell which of them is full. */
const throttled = (seconds: number) =>
  refuse('THROTTLED', `too many attempts: try again in ${seconds} s`, {
    retryAfterSeconds: String(seconds),
  });
