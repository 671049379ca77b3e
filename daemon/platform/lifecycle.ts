import type { Log } from './log.ts';

export type Lifecycle = {
  /**
   * Registers what must be released; the last registered is released first. What comes after
   * the release, from a start that was given up, is released at once.
   */
  defer(name: string, release: () => Promise<void> | void): void;
  /** Releases everything once, within the deadline; later calls wait for the first. */
  release(deadlineMs: number): Promise<{ readonly clean: boolean }>;
};

/**
 * Collects releasers. A releaser that fails or takes too long is reported and does not keep the
 * others from running; what is still busy at the deadline is left behind and named.
 */
export function createLifecycle(log: Log): Lifecycle {
  const releasers: { name: string; release: () => Promise<void> | void }[] = [];
  let released: Promise<{ clean: boolean }> | undefined;
  let isOver = false;

  const releaseAll = async (deadlineMs: number): Promise<{ clean: boolean }> => {
    const endsAt = performance.now() + deadlineMs;
    let isClean = true;
    for (let next = releasers.pop(); next; next = releasers.pop()) {
      const { name, release } = next;
      const leftMs = Math.max(100, endsAt - performance.now());
      try {
        if (!(await endsWithin(Promise.resolve(release()), leftMs))) {
          isClean = false;
          log.warn({ part: name }, 'did not stop in time');
        }
      } catch (err) {
        isClean = false;
        log.error({ err, part: name }, 'failed to stop');
      }
    }
    isOver = true;
    return { clean: isClean };
  };

  const releaseLate = async (name: string, release: () => Promise<void> | void): Promise<void> => {
    try {
      await release();
    } catch (err) {
      log.error({ err, part: name }, 'failed to stop');
    }
  };

  return {
    defer: (name, release) => {
      if (isOver) void releaseLate(name, release);
      else releasers.push({ name, release });
    },
    release: (deadlineMs) => (released ??= releaseAll(deadlineMs)),
  };
}

async function endsWithin(work: Promise<void>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
