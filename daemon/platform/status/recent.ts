/** The last answer of something slow, and whether it answers now. */
export type Recent<T> = {
  /** Undefined before the first answer. */
  readonly value: T | undefined;
  /** Why there is no newer answer; undefined if it answers. */
  readonly trouble: string | undefined;
};

export type RecentOptions<T> = {
  readonly load: () => Promise<T>;
  readonly describe: (err: unknown) => string;
  /** By a monotonic clock. */
  readonly now?: () => number;
  readonly freshMs?: number;
  readonly waitMs?: number;
};

type Reading = { readonly startedAt: number; isDone: boolean; done: Promise<void> };

/**
 * Reads something at most once a second, however many ask, and never twice at once. A caller
 * waits for `waitMs` at most, counted from when the reading began, and then gets the last answer.
 */
export function createRecent<T>(options: RecentOptions<T>): () => Promise<Recent<T>> {
  const { load, describe, now = () => performance.now(), freshMs = 1_000, waitMs = 500 } = options;
  let value: T | undefined;
  let trouble: string | undefined;
  let readAt = -Infinity;
  let reading: Reading | undefined;

  const start = (): Reading => {
    const started: Reading = { startedAt: now(), isDone: false, done: Promise.resolve() };
    started.done = load()
      .then(
        (loaded) => {
          value = loaded;
          trouble = undefined;
        },
        (err: unknown) => {
          trouble = describe(err);
        },
      )
      .finally(() => {
        readAt = now();
        reading = undefined;
        started.isDone = true;
      });
    return started;
  };

  return async () => {
    if (now() - readAt < freshMs) return { value, trouble };
    const current = (reading ??= start());
    const leftMs = waitMs - (now() - current.startedAt);
    if (leftMs > 0) await within(current.done, leftMs);
    return { value, trouble: current.isDone ? trouble : 'the database has not answered yet' };
  };
}

async function within(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
