import type { Rejection } from '../../../../core/reasons.ts';
import type { Access, Policy } from '../../access/access.ts';
import { createTransientRejection } from '../../transient-rejection.ts';

/**
 * Authorises the caller of a stream again and again while it lasts: a sign-out, a revocation, a
 * change of role and a disabled account end it, whether or not anything is sent on it.
 */
export type Reauthorization = {
  /** The refusal, once the caller may not have the stream any more. */
  refusal(): Rejection | undefined;
  /** True once the caller was refused, or could not be authorised for an unexpected reason. */
  hasEnded(): boolean;
  /** The work's outcome, or a transient rejection as soon as the caller is refused. */
  race<T>(work: Promise<T>): Promise<T>;
  /** The same, but what was begun before the refusal has `graceMs` to be answered. */
  raceAnswer<T>(work: Promise<T>): Promise<T>;
  /** Ends the stream with this at once, whatever is in flight. */
  cut(rejection: Rejection): void;
  stop(): void;
};

/** With the feed of revocations, which comes every second, a sign-out is felt within 5 s. */
const checkEveryMs = 1_000;
/** For the answers to what a client has sent already: otherwise it would have to ask again. */
const graceMs = 1_500;

export function reauthorizeStream(
  access: Pick<Access, 'authorize'>,
  authorization: string | undefined,
  policy: Policy,
): Reauthorization {
  const refused = createEnd();
  const over = createEnd();
  let refusal: Rejection | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const end = (err: Error): void => {
    refused.end(err);
    if (!isStopped) timer = setTimeout(() => over.end(err), graceMs);
  };
  const check = async (): Promise<void> => {
    const authorized = await access.authorize(authorization, policy);
    if (isStopped) return;
    if (authorized.ok) {
      timer = setTimeout(run, checkEveryMs);
      return;
    }
    refusal = authorized.rejection;
    end(createTransientRejection(refusal));
  };
  const run = (): void => {
    check().catch((err: unknown) =>
      end(err instanceof Error ? err : new Error('the caller was not authorised', { cause: err })),
    );
  };
  if (policy !== 'public') timer = setTimeout(run, checkEveryMs);

  return {
    refusal: () => refusal,
    hasEnded: refused.hasEnded,
    race: refused.race,
    raceAnswer: over.race,
    cut: (rejection) => {
      refusal ??= rejection;
      const err = createTransientRejection(refusal);
      refused.end(err);
      over.end(err);
    },
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** An end that many may wait for. No promise of its own: each race would stay attached to it. */
function createEnd() {
  const waiting = new Set<(err: Error) => void>();
  let failure: Error | undefined;
  return {
    hasEnded: () => failure !== undefined,
    end: (err: Error): void => {
      failure = err;
      waiting.forEach((reject) => reject(err));
      waiting.clear();
    },
    race: <T>(work: Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        if (failure) {
          work.catch(() => undefined);
          reject(failure);
          return;
        }
        waiting.add(reject);
        work.then(resolve, reject).finally(() => waiting.delete(reject));
      }),
  };
}
