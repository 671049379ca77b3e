/** Lets so many run at once; the others wait their turn. */
export type Gate = { run<T>(work: () => Promise<T>): Promise<T> };

export function createGate(maxAtOnce: number): Gate {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    run: async (work) => {
      if (running >= maxAtOnce) await new Promise<void>((proceed) => waiting.push(proceed));
      else running += 1;
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else running -= 1;
      }
    },
  };
}
