import { ddmin, findLeast } from './ddmin.ts';

/** What a run does, apart from the choices that follow from its seed. */
export type Schedule<Fault> = {
  readonly faults: readonly Fault[];
  /** How many operations the clients ask for. */
  readonly operations: number;
};

export type ShrinkOptions<Fault> = {
  /** Runs the schedule once; true if there is a violation. */
  readonly run: (schedule: Schedule<Fault>) => Promise<boolean>;
  /** How often a schedule is run before it counts as one without a violation: runs differ. */
  readonly tries: number;
  /** The most runs in all; after so many the shortest schedule so far is given. */
  readonly maxRuns: number;
  readonly say: (line: string) => void;
};

export type Shrunk<Fault> = {
  /** The shortest schedule that was seen to fail; undefined if not even the given one did. */
  readonly schedule: Schedule<Fault> | undefined;
  readonly runs: number;
};

/** Below so many operations a run has no load to speak of. */
const minOperations = 1;

/**
 * Looks for a shorter schedule that fails as well: first fewer faults, then fewer operations, then
 * once more fewer faults.
 */
export async function shrinkSchedule<Fault>(
  given: Schedule<Fault>,
  { run, tries, maxRuns, say }: ShrinkOptions<Fault>,
): Promise<Shrunk<Fault>> {
  let runs = 0;
  let shortest: Schedule<Fault> | undefined;
  const isFailing = async (schedule: Schedule<Fault>): Promise<boolean> => {
    for (let i = 0; i < tries && runs < maxRuns; i += 1) {
      runs += 1;
      const fails = await run(schedule);
      const { faults, operations } = schedule;
      say(
        `run ${runs}: ${faults.length} faults, ${operations} operations: ` +
          (fails ? 'a violation' : 'no violation'),
      );
      if (!fails) continue;
      shortest = schedule;
      return true;
    }
    return false;
  };
  const fewerFaults = async ({
    faults,
    operations,
  }: Schedule<Fault>): Promise<Schedule<Fault>> => ({
    faults: await ddmin(faults, (some) => isFailing({ faults: some, operations })),
    operations,
  });
  if (!(await isFailing(given))) return { schedule: undefined, runs };
  const { faults } = await fewerFaults(given);
  const operations = await findLeast(minOperations, given.operations, (some) =>
    some === given.operations ? Promise.resolve(true) : isFailing({ faults, operations: some }),
  );
  if (operations < given.operations && faults.length > 0) await fewerFaults({ faults, operations });
  return { schedule: shortest, runs };
}
