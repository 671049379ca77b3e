import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

import { ensureTestServices } from '../../scripts/test-services.ts';
import { formatVerdicts, runSoak } from './run.ts';

// `npm run test:soak -- --minutes 20`: a daemon under cancelled, late, refused and abandoned calls
// of every kind. `--seed` repeats the choices of a run, which prints its seed. Ends with a table of
// what the daemon holds before and after, and `left behind: N`.

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
  },
});
const seconds = Number(values.minutes) * 60;
if (!(seconds > 0)) {
  console.error('--minutes is a number above 0');
  process.exit(2);
}
console.log(`seed ${values.seed}`);
ensureTestServices();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const verdicts = await runSoak({
  seed: values.seed,
  seconds,
  warmUpSeconds: 15,
  settleSeconds: 70,
  spare: {},
  say: (line) => console.log(line),
});
for (const line of formatVerdicts(verdicts)) console.log(line);
const left = verdicts.filter(({ isMet }) => !isMet).length;
console.log(`left behind: ${left}`);
process.exit(left === 0 ? 0 : 1);
