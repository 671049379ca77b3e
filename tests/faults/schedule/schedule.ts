import { z } from 'zod';

import { createRandom, type Random } from '../../fuzz/random.ts';
import { isFaultKind, partsOfFaults, type FaultKind } from '../kinds/names.ts';

/** One fault of a run. All other choices of a fault follow from the seed and its number. */
export type PlannedFault = {
  /** From 1. */
  readonly id: number;
  readonly kind: FaultKind;
  /** The faults of an episode are on at about the same time; behind it there is a quiet window. */
  readonly episode: number;
  /** From the beginning of the episode to that of the fault. */
  readonly afterMs: number;
  readonly forMs: number;
};

export type Timing = {
  readonly lockMs: number;
  readonly stopMs: readonly [number, number];
  readonly mixMs: number;
  readonly quietMs: readonly [number, number];
  /** After how long the late duplicate of a message comes. */
  readonly lateMs: readonly [number, number];
  /** After how long a reader looks again. */
  readonly rereadMs: readonly [number, number];
};

type PlanOptions = {
  readonly seed: string;
  readonly kinds: readonly FaultKind[];
  readonly count: number;
  readonly timing: Pick<Timing, 'lockMs' | 'stopMs' | 'mixMs'>;
};

/**
 * First each kind alone, in the order given, then mixes of two to four kinds on different parts.
 * The same for the same seed, kinds and timing; a larger count only adds faults at the end.
 */
export function planFaults({ seed, kinds, count, timing }: PlanOptions): readonly PlannedFault[] {
  const faults: PlannedFault[] = [];
  for (let episode = 1; faults.length < count && kinds.length > 0; episode += 1) {
    const random = createRandom(seed, 'episode', episode);
    const alone = kinds[episode - 1];
    const chosen = alone ? [alone] : chooseMix(random, kinds);
    const lengthMs = chosen.includes('locks') ? timing.lockMs : timing.mixMs;
    for (const kind of chosen) {
      const forMs = durationOf(kind, random, timing);
      const room = alone || kind === 'locks' ? 0 : Math.max(0, lengthMs - forMs);
      faults.push({ id: faults.length + 1, kind, episode, afterMs: random.int(room), forMs });
    }
  }
  return faults.slice(0, count);
}

function chooseMix(random: Random, kinds: readonly FaultKind[]): readonly FaultKind[] {
  const wanted = 2 + random.int(3);
  const chosen: FaultKind[] = [];
  for (let tries = 0; chosen.length < wanted && tries < 20; tries += 1) {
    const kind = random.pick(kinds);
    const isTaken = chosen.some((one) => partsOfFaults[one] === partsOfFaults[kind]);
    if (!isTaken) chosen.push(kind);
  }
  return chosen;
}

const between = (random: Random, [from, to]: readonly [number, number]): number =>
  from + random.int(Math.max(1, to - from));

function durationOf(
  kind: FaultKind,
  random: Random,
  { lockMs, stopMs, mixMs }: PlanOptions['timing'],
): number {
  if (kind === 'locks') return lockMs;
  if (kind === 'stops') return between(random, stopMs);
  return between(random, [mixMs / 4, (mixMs * 3) / 4].map(Math.round) as [number, number]);
}

const planned = z.object({
  id: z.int().positive(),
  kind: z.string().refine(isFaultKind) as unknown as z.ZodType<FaultKind>,
  episode: z.int().positive(),
  afterMs: z.number().nonnegative(),
  forMs: z.number().nonnegative(),
});
const file = z.object({
  seed: z.string(),
  operations: z.int().nonnegative(),
  faults: z.array(planned),
});

/** What `--schedule FILE` reads and `--list` prints. */
type ScheduleFile = z.infer<typeof file>;

/** Throws where the text is no schedule. */
export const parseSchedule = (text: string): ScheduleFile => file.parse(JSON.parse(text));

/** One fault in each line, so that lines can be taken out. */
export function formatSchedule({ seed, operations, faults }: ScheduleFile): string {
  const head = `{"seed":${JSON.stringify(seed)},"operations":${operations},"faults":[`;
  const lines = faults.map((fault) => `  ${JSON.stringify(fault)}`);
  return `${head}\n${lines.join(',\n')}\n]}`;
}
