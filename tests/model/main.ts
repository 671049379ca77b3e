import { parseArgs } from 'node:util';

import { ensureTestServices } from '../../scripts/test-services.ts';
import { runModel } from './run.ts';

// `npm run test:model -- --runs 200 --seed 7`: generated commands for a real daemon and for a small
// model of it. Where the two differ, the fewest commands that show it are printed.

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    minutes: { type: 'string', default: '60' },
    path: { type: 'string' },
    'replay-path': { type: 'string' },
  },
});
const [runs, seed, minutes] = [Number(values.runs), Number(values.seed), Number(values.minutes)];
if (!(runs > 0) || !Number.isInteger(seed) || !(minutes > 0)) {
  console.error('--runs and --minutes are numbers above 0, --seed a whole number');
  process.exit(2);
}
ensureTestServices();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
console.log(`seed ${seed}`);
const { path, 'replay-path': replayPath } = values;
const result = await runModel({ runs, seed, limitMs: minutes * 60_000, path, replayPath });
console.log(`${result.runs} runs, ${result.answers} answers compared`);
if (result.failure !== undefined) console.log(result.failure);
console.log(`differences: ${result.failure === undefined ? 0 : 1}`);
process.exit(result.failure === undefined ? 0 : 1);
