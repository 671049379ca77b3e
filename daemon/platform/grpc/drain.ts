import { setImmediate, setTimeout as sleep } from 'node:timers/promises';

import type { Admission } from './admission/admission.ts';
import type { Listener } from './ingress/listener.ts';
import type { SessionWatch } from './ingress/sessions.ts';

/**
 * While calls still come, balancers have so long to see that the server is not ready: what crosses
 * the end of a connection would be refused.
 */
const noticeMs = 1_000;
/** Without a call for so long, no client is taken to send any more. */
const quietMs = 300;
/** So long before the end of its time what is still in flight is answered, whatever it does. */
const answerMs = 500;
const flushMs = 250;
const lookEveryMs = 20;

/**
 * Ends what goes on so that no client loses an answer: no new connections, each client learns which
 * of its calls was the last that is taken, streams end once what is in flight is answered, and
 * everything in flight is finished. What is not when the time is over gets OUTCOME_UNKNOWN.
 */
export async function drain(
  parts: {
    readonly listeners: readonly Listener[];
    readonly sessions: Pick<SessionWatch, 'calledAtMs' | 'close' | 'isBusy'>;
    readonly admission: Pick<Admission, 'inFlight' | 'finish' | 'cut'>;
    readonly endWatches: () => void;
  },
  deadlineMs: number,
): Promise<void> {
  const { listeners, sessions, admission, endWatches } = parts;
  const startedAtMs = performance.now();
  const isOver = (limitMs: number): boolean => performance.now() - startedAtMs >= limitMs;
  const isCalled = (): boolean => performance.now() - sessions.calledAtMs() < quietMs;
  const isInUse = (): boolean => listeners.some((listener) => listener.isInUse());
  const isBusy = (): boolean => admission.inFlight() > 0 || sessions.isBusy();
  while (isCalled() && isInUse() && !isOver(Math.min(noticeMs, deadlineMs / 4))) {
    await sleep(lookEveryMs);
  }
  // The connections that the system has accepted are taken first: closing would reset them.
  await setImmediate();
  for (const listener of listeners) listener.stop();
  sessions.close();
  admission.finish();
  endWatches();
  while (isBusy() && !isOver(deadlineMs - answerMs)) await sleep(lookEveryMs);
  if (isBusy()) {
    admission.cut();
    await sleep(Math.min(answerMs / 2, deadlineMs / 2));
  }
  for (let waitedMs = 0; isInUse() && waitedMs < flushMs; waitedMs += lookEveryMs) {
    await sleep(lookEveryMs);
  }
  for (const listener of listeners) listener.cut();
}
