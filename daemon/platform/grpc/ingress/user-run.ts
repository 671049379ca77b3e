import { refuse, type Result } from '../../../../core/reasons.ts';
import type { Fit } from '../fit.ts';
import { createCounts } from './counts.ts';
import { createStreamSlots, type OpenStream, type StreamLimits } from './stream-slots.ts';

type UserLimits = {
  /** Unary calls in hand of one user. */
  readonly userCalls: number;
  /** Streams of one method, of everybody. */
  readonly streams: number;
  /** The same, of one user. */
  readonly userStreams: number;
  /** A stream is ended after so long without a request and without anything in flight. */
  readonly streamIdleMs: number;
  /** A stream that has done nothing for so long may be ended to make room for another. */
  readonly streamSettleMs: number;
};

type UserEntry = {
  readonly isStream: boolean;
  readonly isOneRequest: boolean;
  readonly fit: Fit | undefined;
};

/**
 * Calls of users, capped for each, and those that wait in a queue by its pace. `entry` is the same
 * object for each call of a method.
 */
export function createUserRun(limits: UserLimits, nowMs: () => number) {
  const counts = createCounts();
  const slotsOf = new Map<UserEntry, ReturnType<typeof createStreamSlots>>();
  const openSlots = (entry: UserEntry): ReturnType<typeof createStreamSlots> => {
    const slots = slotsOf.get(entry) ?? createStreamSlots(toStreamLimits(limits), nowMs);
    slotsOf.set(entry, slots);
    return slots;
  };
  const run = async <C extends object, T>(
    userId: string,
    entry: UserEntry,
    context: C,
    work: (context: C & { readonly stream?: OpenStream }) => Promise<Result<T>>,
  ): Promise<Result<T>> => {
    if (entry.isStream) {
      const stream = openSlots(entry).take(userId, entry.isOneRequest);
      if (!stream.ok) return stream;
      return work({ ...context, stream: stream.value }).finally(() => stream.value.release());
    }
    const most = limits.userCalls;
    if (!counts.take(userId, most)) return tooMuch(`you have more than ${most} calls in flight`);
    try {
      return await (entry.fit ? runFitted(entry.fit, () => work(context)) : work(context));
    } finally {
      counts.give(userId);
    }
  };
  const readCounts = () => ({
    callers: counts.size(),
    streams: [...slotsOf.values()].reduce((sum, slots) => sum + slots.size(), 0),
  });
  return { run, readCounts };
}

const toStreamLimits = (limits: UserLimits): StreamLimits => ({
  all: limits.streams,
  ofOne: limits.userStreams,
  idleMs: limits.streamIdleMs,
  settleMs: limits.streamSettleMs,
});

async function runFitted<T>(fit: Fit, work: () => Promise<Result<T>>): Promise<Result<T>> {
  if (fit.isFull()) return tooSlow;
  const visit = fit.enter();
  let isAnswered = false;
  try {
    const result = await work();
    isAnswered = result.ok;
    return result;
  } finally {
    visit.end(isAnswered);
  }
}

export const tooMuch = (why: string) =>
  refuse('OVERLOADED', `${why}: nothing was done, try again shortly`);

export const tooSlow = tooMuch('more is asked of the server than it can do in time');
