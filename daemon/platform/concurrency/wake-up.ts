export type InterruptibleSleep = {
  /** Forgets earlier wakes. */
  reset(): void;
  wake(): void;
  take(ms: number): Promise<void>;
};

/** A pause that can be cut short; a wake during the work before it counts. */
export function createInterruptibleSleep(): InterruptibleSleep {
  let isWoken = false;
  let rouse: (() => void) | undefined;
  return {
    reset: () => {
      isWoken = false;
    },
    wake: () => {
      isWoken = true;
      rouse?.();
    },
    take: (ms) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        rouse = () => {
          clearTimeout(timer);
          resolve();
        };
        if (isWoken) rouse();
      }),
  };
}
