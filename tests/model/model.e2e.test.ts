import { expect, it } from 'vitest';

import { runModel } from './run.ts';

it('a daemon does what the model says, through restarts and clock steps', async () => {
  const { runs, failure } = await runModel({ runs: 18, seed: 19, limitMs: 60_000 });
  expect(failure).toBeUndefined();
  expect(runs).toBeGreaterThan(0);
}, 300_000);
