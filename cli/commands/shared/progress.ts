import type { Context } from '../../context.ts';
import { isForMachines } from '../../terminal/reporter.ts';

/** A progress line on a terminal; nothing in a pipe. */
export type Progress = {
  show(text: string): Promise<void>;
  /** Removes the line, so that other lines can follow. */
  clear(): Promise<void>;
};

const intervalMs = 200;

export function createProgress({
  io: { stderr },
  manner,
  clock,
}: Pick<Context, 'io' | 'manner' | 'clock'>): Progress {
  const isShown = stderr.isTerminal && !manner.isQuiet && !isForMachines(manner);
  let shownAtMs: number | undefined;
  return {
    show: async (text) => {
      const nowMs = clock.elapsed();
      if (!isShown || nowMs - (shownAtMs ?? -Infinity) < intervalMs) return;
      shownAtMs = nowMs;
      await stderr.write(`\r\u001b[K${text}`);
    },
    clear: async () => {
      if (isShown && shownAtMs !== undefined) await stderr.write('\r\u001b[K');
      shownAtMs = undefined;
    },
  };
}

/**
 * `[########............]  40 %  4000 of 10000 rows`, or only how many where the end is not known.
 */
export function formatProgress(part: bigint, whole: bigint, unit: string): string {
  if (whole <= 0n || part > whole) return `${part} ${unit}`;
  const width = 20;
  const filled = Number((part * BigInt(width)) / whole);
  const bar = '#'.repeat(filled) + '.'.repeat(width - filled);
  return `[${bar}]  ${(part * 100n) / whole} %  ${part} of ${whole} ${unit}`;
}
