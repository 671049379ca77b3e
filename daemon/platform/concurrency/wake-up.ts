/** A signal for one waiter: the interruptible sleep of a loop, or backpressure of a writer. */
export type WakeUp = {
  /** Ends the wait; without one, ends the next wait at once. */
  wake(): void;
  /** Forgets a wake-up that came while nothing waited. */
  reset(): void;
  /** True once woken; false where `timeoutMs` passed without a wake-up. */
  wait(timeoutMs?: number): Promise<boolean>;
};

export function createWakeUp(): WakeUp {
  let isWoken = false;
  let resume: (() => void) | undefined;
  return {
    wake: () => {
      if (resume) resume();
      else isWoken = true;
    },
    reset: () => {
      isWoken = false;
    },
    wait: (timeoutMs) => {
      if (isWoken) {
        isWoken = false;
        return Promise.resolve(true);
      }
      return new Promise((resolve) => {
        const end = (hasWoken: boolean): void => {
          clearTimeout(timer);
          resume = undefined;
          resolve(hasWoken);
        };
        const timer = timeoutMs === undefined ? undefined : setTimeout(() => end(false), timeoutMs);
        resume = () => end(true);
      });
    },
  };
}
