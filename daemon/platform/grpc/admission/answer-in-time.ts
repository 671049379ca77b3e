import { refuse, type Rejection, type Result } from '../../../../core/reasons.ts';

/** What the work itself says at the deadline knows more, and comes first. */
const graceMs = 250;

/** Those who wait for an answer; each may be given one before its time. */
export type Waiting = Set<(answer: Refusal) => void>;
export type Refusal = { readonly ok: false; readonly rejection: Rejection };

/**
 * The work's result, or DEADLINE_EXCEEDED once its time is over: what hangs in the database (a
 * COMMIT that waits for a standby) is not waited for longer than the caller was promised. The work
 * goes on.
 */
export async function answerInTime<T>(
  deadlineMs: number,
  work: Promise<Result<T>>,
  waiting?: Waiting,
): Promise<Result<T>> {
  let timer: NodeJS.Timeout | undefined;
  let answer: (answer: Result<T>) => void = () => undefined;
  const late = new Promise<Result<T>>((resolve) => {
    answer = resolve;
    waiting?.add(answer);
    const leftMs = Math.max(0, deadlineMs + graceMs - performance.now());
    timer = setTimeout(() => resolve(tooLate), leftMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    waiting?.delete(answer);
  }
}

const tooLate = refuse(
  'DEADLINE_EXCEEDED',
  'there was no answer in time; whether it was done is not known: ask again with the same key',
);
