import type { Alert, FaultSpan, History, ProgressSample } from '../record/history.ts';
import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

const checker = 'silence';
/** Without progress for so long, a daemon must say so. */
const limitMs = 30_000;
/** Until the daemon looks, and until the run sees what it says. */
const marginMs = 10_000;
/** Without a sample for so long, what happened meanwhile is not known. */
const maxGapMs = 5_000;

type Stall = { readonly part: string; readonly fromMs: number; readonly toMs: number };

/**
 * Where work waited and none was finished for 30 s, a daemon said so in each way that the run
 * watched. It needs one daemon that was neither stopped nor restarted meanwhile.
 */
export const checkSilence: Checker = (history) => {
  const { progress, alerts, watched } = history;
  const violations: Violation[] = [];
  const stalls = [...groupBy(progress, ({ part }) => part).values()]
    .flatMap(listStalls)
    .filter((stall) => hasWitness(history, stall));
  for (const stall of stalls) {
    for (const over of watched) {
      if (alerts.some((alert) => isAbout(alert, over, stall))) continue;
      const seconds = ((stall.toMs - stall.fromMs) / 1_000).toFixed(0);
      const what = `${stall.part} made no progress for ${seconds} s, and no ${over} said so`;
      violations.push({ checker, what });
    }
  }
  return violations;
};

const isAbout = ({ part, over: by, atMs }: Alert, over: Alert['over'], stall: Stall): boolean =>
  part === stall.part &&
  by === over &&
  atMs >= stall.fromMs &&
  atMs <= stall.fromMs + limitMs + marginMs;

/** True if no fault was done to one of the daemons during the stall. */
function hasWitness({ attempts, faults }: History, { fromMs, toMs }: Stall): boolean {
  const isDuring = (span: FaultSpan): boolean =>
    span.fromMs <= toMs && (span.toMs ?? Infinity) >= fromMs;
  const disturbed = new Set(faults.filter(isDuring).map(({ target }) => target));
  const daemons = new Set(attempts.map(({ daemon }) => daemon));
  return [...daemons].some((daemon) => daemon !== undefined && !disturbed.has(daemon));
}

/** The times in which samples of one part show waiting work and none that was finished. */
function listStalls(samples: readonly ProgressSample[]): readonly Stall[] {
  const stalls: Stall[] = [];
  let first: ProgressSample | undefined;
  let last: ProgressSample | undefined;
  const close = (): void => {
    if (first && last && last.atMs - first.atMs > limitMs + marginMs) {
      stalls.push({ part: first.part, fromMs: first.atMs, toMs: last.atMs });
    }
    first = undefined;
  };
  for (const sample of samples) {
    if (last && sample.atMs - last.atMs > maxGapMs) close();
    if (sample.waitingCount === 0 || (first && sample.doneCount !== first.doneCount)) close();
    if (sample.waitingCount > 0) first ??= sample;
    last = sample;
  }
  close();
  return stalls;
}
