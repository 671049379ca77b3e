import type { Rejection } from '../../core/reasons.ts';

const rejections = new WeakMap<Error, Rejection>();

/**
 * An error that pauses a consumer until its cause has passed: its messages are held. Where a person
 * waits and not a queue, `findTransientRejection` gives the refusal to answer with.
 */
export function createTransientRejection(rejection: Rejection, cause?: unknown): Error {
  const err = new Error(rejection.message, { cause });
  rejections.set(err, rejection);
  return err;
}

export function findTransientRejection(err: unknown): Rejection | undefined {
  return err instanceof Error ? rejections.get(err) : undefined;
}
