import type { Rejection } from '../../core/reasons.ts';

const rejections = new WeakMap<Error, Rejection>();

/**
 * An error that holds messages until what is in the way has passed. Where a person waits instead
 * of a queue, `findHeld` gives the refusal to answer with.
 */
export function createTransientRejection(rejection: Rejection, cause?: unknown): Error {
  const err = new Error(rejection.message, { cause });
  rejections.set(err, rejection);
  return err;
}

export function findTransientRejection(err: unknown): Rejection | undefined {
  return err instanceof Error ? rejections.get(err) : undefined;
}
