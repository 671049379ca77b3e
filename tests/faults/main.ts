import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

import { ensureTestServices } from '../../scripts/test-services.ts';
import { runMutants } from './mutants/run.ts';
import { longTiming, runFaultRun } from './run.ts';
import { faultKinds, type FaultKind } from './timeline.ts';

// `npm run test:faults -- --minutes 20`: two daemons under load, with faults from a seed. Ends with
// a table of what is demanded of it, and `violations: N`. With `--mutants`, defects are planted in
// the product one after the other, and the checkers have to find each: `mutants caught: N/M`.

const isKind = (text: string): text is FaultKind =>
  (faultKinds as readonly string[]).includes(text);

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    minutes: { type: 'string', default: '20' },
    faults: { type: 'string', default: 'locks,stops,clock' },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
});
const kinds = values.faults.split(',').filter((name) => name !== '');
const seconds = Number(values.minutes) * 60;
if (!kinds.every(isKind) || !(seconds > 0)) {
  console.error(`--faults are some of ${faultKinds.join(',')}; --minutes a number above 0`);
  process.exit(2);
}
ensureTestServices();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
if (values.mutants) {
  const say = (line: string): void => console.log(line);
  const { caught, planted, failed } = await runMutants({ only: values.only, say });
  if (failed > 0) console.log(`scenarios that the unchanged build fails: ${failed}`);
  console.log(`mutants caught: ${caught}/${planted}`);
  process.exit(caught === planted && planted > 0 && failed === 0 ? 0 : 1);
}
console.log(`seed ${values.seed}`);
const { report, checks } = await runFaultRun({
  seed: values.seed,
  seconds,
  kinds: kinds.filter(isKind),
  timing: longTiming,
  say: (line) => console.log(line),
});
console.log(`violations: ${report.violations}`);
process.exit(report.violations === 0 && checks.every(({ isMet }) => isMet) ? 0 : 1);
