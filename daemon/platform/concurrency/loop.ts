import type { Log } from '../log.ts';

export type Loop = {
  /** There may be something to do; polling would find it a little later. */
  wake(): void;
  start(): void;
  /** Resolves when the work in hand has ended. */
  stop(): Promise<void>;
};

/**
 * Does `work` again and again while it says that there was something, and otherwise looks again
 * after `pollMs`. Trouble is told and looked at again, too.
 */
export function createLoop(options: {
  readonly name: string;
  readonly work: () => Promise<boolean>;
  readonly pollMs: number;
  readonly log: Log;
  readonly onFailure?: (err: unknown) => void;
}): Loop {
  const { name, work, pollMs, log, onFailure } = options;
  let isStopped = false;
  let isWoken = false;
  let rouse: (() => void) | undefined;
  let running: Promise<void> | undefined;

  const nap = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      rouse = () => {
        clearTimeout(timer);
        resolve();
      };
      if (isWoken || isStopped) rouse();
    });
  const isWanted = (): boolean => !isStopped;
  const run = async (): Promise<void> => {
    while (isWanted()) {
      isWoken = false;
      const hasWorked = await work().catch((err: unknown) => {
        log.warn({ err, loop: name }, 'not done now; it is tried again');
        onFailure?.(err);
        return false;
      });
      if (!hasWorked && isWanted()) await nap();
    }
  };
  return {
    wake: () => {
      isWoken = true;
      rouse?.();
    },
    start: () => {
      running ??= run();
    },
    stop: async () => {
      isStopped = true;
      rouse?.();
      await running;
    },
  };
}
