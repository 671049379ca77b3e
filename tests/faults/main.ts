import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { ensureTestServices } from '../../scripts/test-services.ts';
import { faultKinds, isFaultKind, type FaultKind } from './kinds/names.ts';
import { runMutants } from './mutants/run.ts';
import { denseTiming, longTiming, shortTiming } from './profile.ts';
import { runFaultRun, type FaultRun } from './run.ts';
import {
  formatSchedule,
  parseSchedule,
  planFaults,
  type PlannedFault,
} from './schedule/schedule.ts';
import { shrinkSchedule, type Schedule } from './shrink/shrink.ts';
import { maxDaemons } from './site/fault-site.ts';

// `npm run test:faults`: the short profile. `-- --ops 100000 --faults 50`: until both numbers are
// reached. `-- --minutes 20`: so long. All follow from `--seed`. Ends with a table of what is
// demanded of it, and `violations: N`. `-- --mutants`: defects are planted in the product one after
// the other, and the checkers have to find each; `--only NAME,NAME` chooses some. `-- --shrink`:
// the same schedule again with fewer faults and operations, as long as there is a violation; ends
// with the shortest one, for `--schedule FILE`.

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    minutes: { type: 'string' },
    ops: { type: 'string' },
    faults: { type: 'string' },
    kinds: { type: 'string', default: faultKinds.join(',') },
    daemons: { type: 'string', default: '2' },
    intensity: { type: 'string' },
    only: { type: 'string' },
    schedule: { type: 'string' },
    logs: { type: 'string' },
    list: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
  },
});

/** Ends with `mutants caught: N/M`. */
async function proveByMutants(only: readonly string[]): Promise<never> {
  ensureTestServices();
  const say = (line: string): void => console.log(line);
  const { caught, planted, failed } = await runMutants({ only, say });
  if (failed > 0) console.log(`scenarios that the unchanged build fails: ${failed}`);
  console.log(`mutants caught: ${caught}/${planted}`);
  process.exit(caught === planted && planted > 0 && failed === 0 ? 0 : 1);
}

function refuse(what: string): never {
  console.error(what);
  process.exit(2);
}

function readNumber(name: 'minutes' | 'ops' | 'faults' | 'daemons' | 'intensity'): number {
  const number = Number(values[name] ?? 0);
  return number >= 0 ? number : refuse(`--${name} is a number`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
if (values.mutants) await proveByMutants(values.only?.split(',') ?? []);

const kinds: readonly FaultKind[] = values.kinds
  .split(',')
  .map((name) =>
    isFaultKind(name) ? name : refuse(`--kinds are some of ${faultKinds.join(',')}`),
  );
const daemons = readNumber('daemons');
if (daemons < 1 || daemons > maxDaemons) refuse(`--daemons is a number from 1 to ${maxDaemons}`);
const isLong = values.minutes !== undefined;
const isShort = !isLong && values.ops === undefined && values.faults === undefined;
const timing = isLong ? longTiming : isShort ? shortTiming : denseTiming;
const given =
  values.schedule === undefined ? undefined : parseSchedule(readFileSync(values.schedule, 'utf8'));
const { seed } = given ?? values;
const wanted = isShort ? faultKinds.length + 6 : readNumber('faults');
const operations = given?.operations ?? readNumber('ops');
const only = values.only?.split(',').map(Number);
/** Where the time decides, there are always more. */
const planCount = isLong ? 10_000 : wanted;
const faults = (given?.faults ?? planFaults({ seed, kinds, count: planCount, timing })).filter(
  ({ id }) => only === undefined || only.includes(id),
);
if (values.list) {
  console.log(formatSchedule({ seed, operations, faults: [...faults] }));
  process.exit(0);
}
ensureTestServices();
console.log(`seed ${seed}`);
const run = (schedule: Schedule<PlannedFault>, say: (line: string) => void): Promise<FaultRun> =>
  runFaultRun({
    ...{ seed, faults: schedule.faults, timing, daemons },
    atLeast: {
      seconds: readNumber('minutes') * 60,
      operations: schedule.operations,
      faults: isLong ? 0 : schedule.faults.length,
    },
    intensity: readNumber('intensity') || (operations > 20_000 ? 6 : 1),
    judgesLatency: isLong && kinds.includes('locks'),
    logFolder: values.logs,
    say,
  });
const say = (line: string): void => console.log(line);
const isGood = ({ report, checks }: FaultRun): boolean =>
  report.violations === 0 && checks.every(({ isMet }) => isMet);
if (values.shrink) {
  if (isLong) refuse('--shrink needs a number of operations or faults: leave --minutes out');
  const fails = async (schedule: Schedule<PlannedFault>): Promise<boolean> =>
    !isGood(await run(schedule, () => undefined));
  // Each run has its own listeners for the end of this process.
  process.setMaxListeners(0);
  const options = { run: fails, tries: 2, maxRuns: 60, say };
  const { schedule, runs } = await shrinkSchedule({ faults, operations }, options);
  if (!schedule) say(`no violation in ${runs} runs: there is nothing to shrink`);
  else say(formatSchedule({ seed, ...schedule, faults: [...schedule.faults] }));
  process.exit(schedule ? 1 : 0);
}
const found = await run({ faults, operations }, say);
console.log(`violations: ${found.report.violations}`);
process.exit(isGood(found) ? 0 : 1);
