import { expect, it } from 'vitest';

import { faultKinds } from './kinds/names.ts';
import { shortTiming } from './profile.ts';
import { runFaultRun } from './run.ts';
import { planFaults } from './schedule/schedule.ts';

/** How long an answer takes depends on the machine; the long run judges that. */
const aboutTime: ReadonlySet<string> = new Set(['latency', 'false refusals', 'availability']);

it('all kinds of faults: no money is lost, and no reported result changes', async () => {
  const said: string[] = [];
  const seed = 'the short profile';
  const count = faultKinds.length;
  const { report, checks } = await runFaultRun({
    seed,
    faults: planFaults({ seed, kinds: faultKinds, count, timing: shortTiming }),
    timing: shortTiming,
    daemons: 2,
    atLeast: { seconds: 0, operations: 0, faults: count },
    intensity: 1,
    judgesLatency: false,
    say: (line) => said.push(line),
  });
  const found = [...report.counts.keys()].filter((kind) => !aboutTime.has(kind));
  expect(found, said.join('\n')).toEqual([]);
  expect(checks.map(({ name }) => name)).toEqual([
    'INTERNAL',
    'false refusals',
    'reported balances that changed',
    'complete statements that changed',
    'rows in the outbox at the end',
    'other violations',
  ]);
  expect(said.some((line) => /^\d+ operations, /.test(line))).toBe(true);
}, 600_000);
