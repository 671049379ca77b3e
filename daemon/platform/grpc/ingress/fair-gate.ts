/** Lets so many run at once; the others wait, and each key has its turn. */
export type FairGate = { run<T>(key: string, work: () => Promise<T>): Promise<T> };

/**
 * A semaphore with a queue for each key, served in turn: whoever queues a hundred times delays
 * others by one turn, not by a hundred.
 */
export function createFairGate(maxAtOnce: number): FairGate {
  let running = 0;
  const queues = new Map<string, (() => void)[]>();
  const takeNext = (): (() => void) | undefined => {
    for (const [key, queue] of queues) {
      const next = queue.shift();
      // The key goes to the end of the order.
      queues.delete(key);
      if (queue.length > 0) queues.set(key, queue);
      return next;
    }
    return undefined;
  };
  const wait = (key: string): Promise<void> =>
    new Promise((proceed) => {
      const queue = queues.get(key);
      if (queue) queue.push(proceed);
      else queues.set(key, [proceed]);
    });
  return {
    run: async (key, work) => {
      if (running >= maxAtOnce) await wait(key);
      else running += 1;
      try {
        return await work();
      } finally {
        const next = takeNext();
        if (next) next();
        else running -= 1;
      }
    },
  };
}
