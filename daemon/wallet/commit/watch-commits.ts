import type { Item } from './commit-item.ts';
import { isOverdue } from './commit-items.ts';

const lookEveryMs = 100;
/** Within it a commit answers its callers itself, and nothing is looked at. */
export const slowMs = 250;

export type CommitWatch<Command, Answer> = {
  /** Runs a commit with this batch. `answerBehind` answers those behind it whose time is over. */
  run<T>(
    batch: readonly Item<Command, Answer>[],
    work: () => Promise<T>,
    answerBehind: () => void,
  ): Promise<T>;
};

/**
 * Answers callers in and behind commits that hang when their time is over; then calls `onAnswered`.
 */
export function watchCommits<Command, Answer>(
  onAnswered: () => void,
): CommitWatch<Command, Answer> {
  type UnderWay = {
    readonly batch: readonly Item<Command, Answer>[];
    readonly answerBehind: () => void;
    readonly sinceMs: number;
  };
  const commits = new Set<UnderWay>();
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    if (commits.size === 0) {
      clearInterval(timer);
      timer = undefined;
      return;
    }
    const slowSinceMs = performance.now() - slowMs;
    const slow = [...commits].filter(({ sinceMs }) => sinceMs < slowSinceMs);
    for (const { batch, answerBehind } of slow) {
      batch.forEach(isOverdue);
      answerBehind();
    }
    if (slow.length > 0) onAnswered();
  };
  return {
    run: async (batch, work, answerBehind) => {
      timer ??= setInterval(look, lookEveryMs).unref();
      const one = { batch, answerBehind, sinceMs: performance.now() };
      commits.add(one);
      try {
        return await work();
      } finally {
        commits.delete(one);
      }
    },
  };
}
