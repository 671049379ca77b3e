import { expect, it } from 'vitest';

import { runFaultRun, shortTiming } from './run.ts';
import { faultKinds } from './timeline.ts';

/** How long an answer takes depends on the machine; the long run judges that. */
const aboutTime: ReadonlySet<string> = new Set(['latency', 'false refusals']);

it('40 s of faults of all kinds: no money is lost, and no reported result changes', async () => {
  const said: string[] = [];
  const { report, checks } = await runFaultRun({
    seed: 'the short profile',
    seconds: 40,
    kinds: faultKinds,
    timing: shortTiming,
    say: (line) => said.push(line),
  });
  const found = [...report.counts.keys()].filter((kind) => !aboutTime.has(kind));
  expect(found, said.join('\n')).toEqual([]);
  expect(checks.length, said.join('\n')).toBeGreaterThan(6);
  expect(said.some((line) => /^\d+ operations, /.test(line))).toBe(true);
}, 300_000);
