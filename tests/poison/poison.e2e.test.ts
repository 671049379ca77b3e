import { expect, it } from 'vitest';

import { poisonKinds } from './kinds.ts';
import { runPoisonRun } from './run.ts';

it('good messages are done once and poison ones become dead letters, across restarts', async () => {
  expect(poisonKinds.length).toBeGreaterThanOrEqual(20);
  const said: string[] = [];
  const violations = await runPoisonRun({
    ...{ messages: 4_000, restarts: 4, seed: 'the short form' },
    say: (line) => said.push(line),
  });
  expect(violations, said.join('\n')).toEqual([]);
}, 240_000);
