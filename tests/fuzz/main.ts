import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

import { fuzz, kinds, type Kind } from './run.ts';

// `npm run test:fuzz -- --count 1000000`: broken inputs of every kind against a daemon of its own,
// beside a client that sends valid calls. Ends with `inputs: N, violations: M`.

const isKind = (text: string): text is Kind => Object.hasOwn(kinds, text);

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    count: { type: 'string', default: '100000' },
    kinds: { type: 'string', default: Object.keys(kinds).join(',') },
    from: { type: 'string', default: '0' },
  },
});
const names = values.kinds.split(',');
const unknown = names.filter((name) => !isKind(name));
if (unknown.length > 0 || !/^\d+$/.test(values.count + values.from)) {
  console.error(`--kinds are some of ${Object.keys(kinds).join(',')}; --count and --from numbers`);
  process.exit(2);
}
console.log(`seed ${values.seed}`);
const report = await fuzz({
  seed: values.seed,
  count: Number(values.count),
  kinds: names.filter(isKind),
  from: Number(values.from),
  say: (line) => console.log(line),
});
console.log(`inputs: ${report.inputs}, violations: ${report.violations}`);
process.exit(report.violations === 0 && report.inputs > 0 ? 0 : 1);
