import type { Log } from '../log.ts';
import { createWakeUp } from './wake-up.ts';

export type Loop = {
  /** There may be something to do; polling would find it a little later. */
  wake(): void;
  start(): void;
  /** Resolves when the work in flight has ended. */
  stop(): Promise<void>;
};

/**
 * A polling loop: repeats `work` at once while it returns true (something was done), and after
 * `pollMs` or a wake-up otherwise. A failure is logged, and the work is tried again.
 */
export function createLoop(options: {
  readonly name: string;
  readonly work: () => Promise<boolean>;
  /** A function is asked each time. */
  readonly pollMs: number | (() => number);
  readonly log: Log;
  readonly onFailure?: (err: unknown) => void;
}): Loop {
  const { name, work, pollMs, log, onFailure } = options;
  const stopping = new AbortController();
  const isStopped = (): boolean => stopping.signal.aborted;
  const wakeUp = createWakeUp();
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    while (!isStopped()) {
      wakeUp.reset();
      const hasWorked = await work().catch((err: unknown) => {
        log.warn({ err, loop: name }, 'not done now; it is tried again');
        onFailure?.(err);
        return false;
      });
      if (!hasWorked && !isStopped())
        await wakeUp.wait(typeof pollMs === 'number' ? pollMs : pollMs());
    }
  };
  return {
    wake: wakeUp.wake,
    start: () => {
      running ??= run();
    },
    stop: async () => {
      stopping.abort();
      wakeUp.wake();
      await running;
    },
  };
}
