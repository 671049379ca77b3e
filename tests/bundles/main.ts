import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

import { ensureTestServices } from '../../scripts/test-services.ts';
import { runBundleRun } from './run.ts';

// `npm run test:bundles -- --messages 20000 --kills 20`: messages and calls, while daemon and
// broker are killed; then everything is compared with a model. Ends with `violations: N`.

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    messages: { type: 'string', default: '20000' },
    kills: { type: 'string', default: '20' },
    daemons: { type: 'string', default: '1' },
  },
});
const [messages, kills] = [Number(values.messages), Number(values.kills)];
const daemons = Number(values.daemons);
if (!(messages > 0) || !(kills >= 0) || ![1, 2].includes(daemons)) {
  console.error('--messages is a number above 0, --kills one of 0 or more, --daemons 1 or 2');
  process.exit(2);
}
ensureTestServices();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
console.log(`seed ${values.seed}`);
const say = (line: string): void => console.log(line);
const options = { messages, kills, daemons, seed: values.seed, users: 20, say };
const { violations, mutants } = await runBundleRun(options);
for (const violation of violations.slice(0, 40)) console.log(`violation: ${violation}`);
for (const name of mutants.missed) console.log(`mutant not caught: ${name}`);
console.log(`mutants caught: ${mutants.caught}/${mutants.caught + mutants.missed.length}`);
console.log(`violations: ${violations.length}`);
process.exit(violations.length + mutants.missed.length === 0 ? 0 : 1);
