import type { TextOutput } from '../../terminal/io.ts';
import { paintFor, type Manner } from '../../terminal/reporter.ts';
import { failedOf, totalOf, type Counts } from './results/run-files.ts';

export type ProgressLine = {
  /** `waiting`: rows that are deferred. */
  update(counts: Counts, waiting: number): Promise<void>;
  /** Removes the line, so that other lines can follow. */
  clear(): Promise<void>;
};

const intervalMs = 200;

/** A progress line of a run on a terminal; nothing in a pipe. */
export function createProgressLine(options: {
  readonly stderr: TextOutput;
  readonly manner: Manner;
  readonly now: () => number;
  /** The part of the input that so many rows are, 0 to 1; undefined where its size is not known. */
  readonly partOf: (rows: number) => number | undefined;
}): ProgressLine {
  const { stderr, manner, now, partOf } = options;
  const isShown = stderr.isTerminal && !manner.isQuiet;
  const chalk = paintFor(stderr, manner);
  const startedAtMs = now();
  let shownAtMs = 0;
  let firstTotal: number | undefined;
  let firstPart = 0;
  return {
    update: async (counts, waiting) => {
      const total = totalOf(counts);
      firstTotal ??= total;
      const part = partOf(total);
      if (firstPart === 0) firstPart = part ?? 0;
      if (!isShown || now() - shownAtMs < intervalMs) return;
      shownAtMs = now();
      const seconds = Math.max((now() - startedAtMs) / 1000, 0.001);
      const rate = (total - firstTotal) / seconds;
      const failed = failedOf(counts);
      const left = part === undefined ? undefined : timeLeft(part, firstPart, seconds);
      const texts = [
        part === undefined ? '' : `${Math.floor(part * 100)} %`,
        `${total} rows`,
        failed > 0 ? chalk.red(`${failed} failed`) : '',
        waiting > 0 ? chalk.yellow(`${waiting} waiting`) : '',
        `${Math.round(rate)}/s`,
        left === undefined ? '' : `${left} left`,
      ];
      await stderr.write(`\r\u001b[K${texts.filter((text) => text !== '').join('  ')}`);
    },
    clear: async () => {
      if (isShown && shownAtMs > 0) await stderr.write('\r\u001b[K');
    },
  };
}

function timeLeft(part: number, firstPart: number, seconds: number): string | undefined {
  if (part <= firstPart || part >= 1) return undefined;
  const left = Math.ceil((seconds * (1 - part)) / (part - firstPart));
  const [minutes, rest] = [Math.floor(left / 60), left % 60];
  return minutes > 0 ? `${minutes} min ${rest} s` : `${rest} s`;
}
