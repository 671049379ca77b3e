import { refuse, type Rejection, type Result } from '../../../../core/reasons.ts';
import type { AdaptiveLimit } from './adaptive-limit.ts';
import { createCounts } from './counts.ts';
import {
  createStreamSlots,
  type OpenStream,
  type StreamLimits,
  type StreamShare,
} from './stream-slots.ts';

type UserLimits = {
  /** Unary calls in flight of one user. */
  readonly userCalls: number;
  /** Streams of one method, of all users. */
  readonly streams: number;
  /** The same, of one user. */
  readonly userStreams: number;
  readonly streamIdleMs: number;
  readonly streamSettleMs: number;
};

type Method = {
  readonly isStream: boolean;
  readonly isOneRequest: boolean;
  readonly limit: AdaptiveLimit | undefined;
  readonly slots?: StreamShare | undefined;
};

/**
 * Admission limits of users: calls of each user, and calls that share a queue by its adaptive
 * limit. `entry` is the same object for each call of a method.
 */
export function createUserCalls(limits: UserLimits) {
  const counts = createCounts();
  /** Users who have as many calls in flight as they may. */
  const full = new Set<string>();
  const tooManyOfUser = refuseAbove(limits.userCalls);
  const slotsOf = new Map<Method, ReturnType<typeof createStreamSlots>>();
  let stopping: Rejection | undefined;
  const openSlots = (entry: Method): ReturnType<typeof createStreamSlots> => {
    const known = slotsOf.get(entry);
    if (known) return known;
    const slots = createStreamSlots(toStreamLimits(limits, entry.slots), nowMs);
    if (stopping) slots.finish(stopping);
    slotsOf.set(entry, slots);
    return slots;
  };
  const run = async <C extends object, T>(
    userId: string,
    entry: Method,
    context: C,
    work: (context: C & { readonly stream?: OpenStream }) => Promise<Result<T>>,
  ): Promise<Result<T>> => {
    if (entry.isStream) {
      const stream = openSlots(entry).take(userId, entry.isOneRequest);
      if (!stream.ok) return stream;
      return work({ ...context, stream: stream.value }).finally(() => stream.value.release());
    }
    if (!counts.take(userId, limits.userCalls)) return tooManyOfUser;
    if (counts.countOf(userId) === limits.userCalls) full.add(userId);
    try {
      return await (entry.limit ? runLimited(entry.limit, () => work(context)) : work(context));
    } finally {
      counts.release(userId);
      full.delete(userId);
    }
  };
  return {
    run,
    tooManyOfUser,
    /** Whether a call of any user would be refused for what is in flight of that user. */
    isAnyFull: (): boolean => full.size > 0,
    isFull: (userId: string): boolean => full.has(userId),
    readCounts: () => ({
      callers: counts.size(),
      streams: [...slotsOf.values()].reduce((sum, slots) => sum + slots.size(), 0),
    }),
    /** Streams take no more requests, and end with this once what is in flight is answered. */
    finishStreams: (rejection: Rejection): void => {
      stopping = rejection;
      for (const slots of slotsOf.values()) slots.finish(rejection);
    },
  };
}

const nowMs = (): number => performance.now();

const toStreamLimits = (limits: UserLimits, slots?: StreamShare): StreamLimits => ({
  all: Math.min(limits.streams, slots?.all ?? Infinity),
  ofOne: Math.min(limits.userStreams, slots?.ofOne ?? Infinity),
  idleMs: limits.streamIdleMs,
  settleMs: limits.streamSettleMs,
});

async function runLimited<T>(
  limit: AdaptiveLimit,
  work: () => Promise<Result<T>>,
): Promise<Result<T>> {
  if (limit.isFull()) return overloaded;
  const permit = limit.acquire();
  let isAnswered = false;
  try {
    const result = await work();
    isAnswered = result.ok;
    return result;
  } finally {
    permit.release(isAnswered);
  }
}

const refuseAbove = (most: number) =>
  refuse(
    'OVERLOADED',
    `you have more than ${most} calls in flight: nothing was done, try again shortly`,
  );

export const overloaded = refuse(
  'OVERLOADED',
  'more is asked of the server than it can do in time: nothing was done, try again shortly',
);
