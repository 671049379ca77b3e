import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

import { ensureTestServices } from '../../scripts/test-services.ts';
import { runPoisonRun } from './run.ts';

// `npm run test:poison -- --messages 100000 --restarts 10`: good and bad messages for two daemons
// that are restarted meanwhile. Ends with a table of the bad ones, and `violations: N`.

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    messages: { type: 'string', default: '100000' },
    restarts: { type: 'string', default: '10' },
  },
});
const [messages, restarts] = [Number(values.messages), Number(values.restarts)];
if (!(messages > 0) || !(restarts >= 0)) {
  console.error('--messages is a number above 0, --restarts one of 0 or more');
  process.exit(2);
}
ensureTestServices();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
console.log(`seed ${values.seed}`);
const say = (line: string): void => console.log(line);
const violations = await runPoisonRun({ messages, restarts, seed: values.seed, say });
for (const violation of violations.slice(0, 40)) console.log(`violation: ${violation}`);
console.log(`violations: ${violations.length}`);
process.exit(violations.length === 0 ? 0 : 1);
