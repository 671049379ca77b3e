import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves after so long, or as soon as the signal is aborted. */
export const sleepUnlessAborted = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

/**
 * Cooperative cancellation: `work`, or the signal's reason as soon as it is aborted. A result of
 * `work` that comes later is handed to `discard`, so that nothing stays open.
 */
export async function untilAborted<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
  discard: (late: T) => void = () => undefined,
): Promise<T> {
  if (!signal) return work;
  let stopListening = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stopListening = onAbort(signal, () => reject(signal.reason as Error));
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (err) {
    if (signal.aborted) void work.then(discard, () => undefined);
    throw err;
  } finally {
    stopListening();
  }
}

/** Calls `act` once the signal is aborted, at once where it is. Returns what ends the listening. */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (!signal) return () => undefined;
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
  return () => signal.removeEventListener('abort', act);
}
