import { refuse, succeed, type Result } from '../../core/reasons.ts';

/** Does so much work at once; what comes past those that may wait is refused with OVERLOADED. */
export function createLimit({
  maxAtOnce,
  maxWaiting,
}: {
  readonly maxAtOnce: number;
  readonly maxWaiting: number;
}): <T>(work: () => Promise<T>) => Promise<Result<T>> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= maxAtOnce) {
      if (waiting.length >= maxWaiting) {
        return refuse('OVERLOADED', 'too many sign-ins at once: try again shortly');
      }
      await new Promise<void>((proceed) => waiting.push(proceed));
    } else {
      running += 1;
    }
    try {
      return succeed(await work());
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
