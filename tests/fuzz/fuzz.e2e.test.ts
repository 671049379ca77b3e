import { expect, it } from 'vitest';

import { fuzz, kinds, type Kind } from './run.ts';

it('thousands of broken inputs cause no crash, unexpected error or loss of money', async () => {
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
