import { setTimeout as sleep } from 'node:timers/promises';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { createFairSemaphore } from '../../platform/concurrency/fair-semaphore.ts';
import type { Db, Tx } from '../../platform/db/db.ts';
import type { Log } from '../../platform/log.ts';
import { findStates, returnAttempt, takeAttempt, type Bucket, type Taken } from './store.ts';
import type { FairCaller } from './fair-caller.ts';
import { createAttemptQueue, type Tried, type AttemptQueue } from './attempt-queue.ts';

/** A flood of guesses leaves connections to all other callers, who take turns as for hashes. */
const takeLimits = { maxAtOnce: 4, maxWaiting: 1_000, maxWaitingOf: [100, 50] };

/** Three times the longest wait of a guess. */
const maxQueuedMs = 12_000;
/** So that the refusal arrives before the caller's deadline. */
const deadlineMarginMs = 250;
const maxWaitingForBucket = 128;
const maxLines = 2_000;
/** A refusal takes no less than this. */
const leastRefusalMs = 500;
const warnEveryMs = 60_000;

type Blocked = { readonly bucket: Bucket; readonly waitMs: number; readonly failures: number };
type Outcome = { readonly taken: readonly Taken[] } | { readonly blocked: Blocked };

export type Attempts = {
  /** One attempt of every bucket, or of none: THROTTLED, OVERLOADED, CANCELLED. */
  take(buckets: readonly Bucket[], fairCaller: FairCaller): Promise<Result<readonly Taken[]>>;
  /** Attempts of these buckets were given back. */
  wake(buckets: readonly Bucket[]): void;
};

/** Takes attempts, and lets those wait in line that have to. The lines are of this process. */
export function createAttempts({
  db,
  log,
}: {
  readonly db: Db;
  readonly log: Log | undefined;
}): Attempts {
  const semaphore = createFairSemaphore(takeLimits);
  const lines = createLines();
  const reportInvalid = createReport(log);
  const inTurn = <T>(fairCaller: FairCaller, work: (tx: Tx) => Promise<T>): Promise<Result<T>> => {
    const { network, account, deadlineMs } = fairCaller;
    const place = {
      path: [network, account],
      deadlineMs,
      isCancelled: () => fairCaller.isCancelled(),
    };
    return semaphore.run(place, () => db.tx(work));
  };
  const tryOnce: TryOnce = (buckets, fairCaller) =>
    inTurn(fairCaller, (tx) => takeUnlessBlocked(tx, buckets, reportInvalid));

  /** Where others wait already: one joins them by rank, and does not go past them. */
  const findLine = async (
    buckets: readonly Bucket[],
    fairCaller: FairCaller,
  ): Promise<Result<Blocked | undefined>> => {
    if (!buckets.some(lines.has)) return succeed(undefined);
    const states = await inTurn(fairCaller, (tx) => findStates(tx, buckets.slice(0, 1)));
    if (!states.ok) return states;
    const failures = states.value[0]?.count ?? 0;
    const bucket = buckets.find((one) => isCounting(one, failures + 1) && lines.has(one));
    return succeed(bucket && { bucket, waitMs: 0, failures });
  };
  const waitPaused = (
    buckets: readonly Bucket[],
    fairCaller: FairCaller,
    blocked: Blocked,
  ): Promise<Result<readonly Taken[]>> =>
    fairCaller.pause(async () => {
      const startedAtMs = performance.now();
      const result = await waitInLine({ lines, tryOnce, buckets, fairCaller }, blocked);
      // So that a refusal at once is not asked for again at once.
      const untilDeadlineMs = fairCaller.deadlineMs - performance.now() - deadlineMarginMs / 2;
      const atLeastMs = leastRefusalMs - (performance.now() - startedAtMs);
      const leftMs = Math.min(atLeastMs, untilDeadlineMs);
      if (!result.ok && leftMs > 0) await sleep(leftMs);
      return result;
    });
  return {
    take: async (buckets, fairCaller) => {
      if (buckets.length === 0) return succeed([]);
      const blocked = await findLine(buckets, fairCaller);
      if (!blocked.ok) return blocked;
      if (blocked.value) return waitPaused(buckets, fairCaller, blocked.value);
      const tried = await tryOnce(buckets, fairCaller);
      if (!tried.ok) return tried;
      if ('taken' in tried.value) return succeed(tried.value.taken);
      return waitPaused(buckets, fairCaller, tried.value.blocked);
    },
    wake: lines.wake,
  };
}

type TryOnce = (buckets: readonly Bucket[], fairCaller: FairCaller) => Promise<Result<Outcome>>;
type Lines = ReturnType<typeof createLines>;

/** One line for each bucket with a waiting caller. */
function createLines() {
  const lines = new Map<string, AttemptQueue>();
  const keyOf = ({ key }: Bucket): string => key.toString('base64');
  const has = (bucket: Bucket): boolean => lines.has(keyOf(bucket));
  return {
    has,
    hasRoom: (bucket: Bucket): boolean => lines.size < maxLines || has(bucket),
    of: (bucket: Bucket): AttemptQueue => {
      const key = keyOf(bucket);
      const known = lines.get(key);
      if (known) return known;
      const line = createAttemptQueue(maxWaitingForBucket, () => {
        if (lines.get(key) === line) lines.delete(key);
      });
      lines.set(key, line);
      return line;
    },
    wake: (buckets: readonly Bucket[]): void =>
      buckets.forEach((bucket) => lines.get(keyOf(bucket))?.wake()),
  };
}

/** Waits in the line of the bucket that blocks, and then of others that do. */
function waitInLine(
  {
    lines,
    tryOnce,
    buckets,
    fairCaller,
  }: {
    readonly lines: Lines;
    readonly tryOnce: TryOnce;
    readonly buckets: readonly Bucket[];
    readonly fairCaller: FairCaller;
  },
  first: Blocked,
): Promise<Result<readonly Taken[]>> {
  return new Promise((resolve, reject) => {
    const leftMs = fairCaller.deadlineMs - performance.now() - deadlineMarginMs;
    const giveUpAtMs = performance.now() + Math.min(maxQueuedMs, leftMs);
    const join = ({ bucket, waitMs, failures }: Blocked): void => {
      const maxWaitMs = giveUpAtMs - performance.now();
      if (waitMs > maxWaitMs || !lines.hasRoom(bucket)) {
        resolve(throttled(waitMs));
        return;
      }
      const attempt = async (): Promise<Tried> => {
        try {
          const tried = await tryOnce(buckets, fairCaller);
          if (!tried.ok) resolve(tried);
          else if ('taken' in tried.value) resolve(succeed(tried.value.taken));
          else if (tried.value.blocked.bucket === bucket) return tried.value.blocked;
          else join(tried.value.blocked);
        } catch (err) {
          reject(err instanceof Error ? err : new Error(String(err)));
        }
        return 'done';
      };
      const giveUp = (retryAfterMs: number): void => resolve(throttled(retryAfterMs));
      const isGone = (): boolean => fairCaller.isCancelled();
      const group = `${fairCaller.network} ${fairCaller.account}`;
      lines.of(bucket).join({ failures, group, isGone, attempt, giveUp }, maxWaitMs, waitMs);
    };
    join(first);
  });
}

/** What is blocked already costs one look: no lock, and no write. */
async function takeUnlessBlocked(
  tx: Tx,
  buckets: readonly Bucket[],
  reportInvalid: () => void,
): Promise<Outcome> {
  const states = await findStates(tx, buckets);
  if (states.some(({ isInvalid }) => isInvalid)) reportInvalid();
  const failures = states[0]?.count ?? 0;
  const [longest] = states
    .filter(({ bucket, waitMs }) => waitMs > 0 && isCounting(bucket, failures + 1))
    .sort((a, b) => b.waitMs - a.waitMs);
  if (longest) return { blocked: { bucket: longest.bucket, waitMs: longest.waitMs, failures } };
  const [narrowest, ...wider] = buckets;
  const first = narrowest ? await takeAll(tx, [narrowest]) : { taken: [] };
  if ('full' in first) return explainFull(tx, first.full, failures);
  const number = first.taken[0]?.number ?? 1;
  const rest = await takeAll(
    tx,
    wider.filter((bucket) => isCounting(bucket, number)),
  );
  if ('taken' in rest) return { taken: [...first.taken, ...rest.taken] };
  await Promise.all(first.taken.map((one) => giveBack(tx, one)));
  return explainFull(tx, rest.full, failures);
}

/** An attempt of each, sent together and counted in this order; or of none, and which has none. */
async function takeAll(
  tx: Tx,
  buckets: readonly Bucket[],
): Promise<{ readonly taken: readonly Taken[] } | { readonly full: Bucket }> {
  const numbers = await Promise.all(buckets.map(({ key, limit }) => takeAttempt(tx, key, limit)));
  const taken: Taken[] = [];
  let full: Bucket | undefined;
  buckets.forEach((bucket, i) => {
    const number = numbers[i];
    if (number === undefined) full ??= bucket;
    else taken.push({ bucket, number });
  });
  if (!full) return { taken };
  await Promise.all(taken.map((one) => giveBack(tx, one)));
  return { full };
}

const giveBack = (tx: Tx, { bucket, number }: Taken): Promise<void> =>
  returnAttempt(tx, bucket.key, number, bucket.limit);

async function explainFull(tx: Tx, bucket: Bucket, failures: number): Promise<Outcome> {
  const [state] = await findStates(tx, [bucket]);
  return { blocked: { bucket, waitMs: Math.max(1, state?.waitMs ?? 0), failures } };
}

const isCounting = ({ counts }: Bucket, number: number): boolean => counts?.(number) ?? true;

/** One line a minute: a clock that went back leaves many such rows. */
function createReport(log: Log | undefined): () => void {
  let reportedAtMs = -Infinity;
  return () => {
    if (performance.now() - reportedAtMs < warnEveryMs) return;
    reportedAtMs = performance.now();
    log?.warn(
      {},
      'attempts are blocked for longer than they can be: the clock of the database went back; they are admitted',
    );
  };
}

/** The same for all buckets: it must not tell which of them is full. */
export function throttled(waitMs: number) {
  const seconds = String(Math.max(1, Math.ceil(waitMs / 1_000)));
  return refuse('THROTTLED', `too many attempts: try again in ${seconds} s`, {
    retryAfterSeconds: seconds,
  });
}
