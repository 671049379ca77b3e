import { expect, it } from 'vitest';

import { fuzz, kinds, type Kind } from './run.ts';

it('some thousands of broken inputs: no crash, no unexpected error, no cent astray', async () => {
  const said: string[] = [];
  const report = await fuzz({
    seed: 'the short profile',
    count: 10_000,
    kinds: Object.keys(kinds) as Kind[],
    from: 0,
    say: (line) => said.push(line),
  });
  expect(report.violations, said.join('\n')).toBe(0);
  expect(report.inputs).toBeGreaterThanOrEqual(10_000);
}, 300_000);
