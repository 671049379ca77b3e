import { expect, it } from 'vitest';

import { runBundleRun } from './run.ts';

it('through bundles each message has one effect, in order, across kills of daemon and broker', async () => {
  const said: string[] = [];
  const { violations, mutants } = await runBundleRun({
    ...{ messages: 2_000, kills: 4, daemons: 1, users: 6, seed: 'the short form' },
    say: (line) => said.push(line),
  });
  expect(violations, said.join('\n')).toEqual([]);
  expect(mutants.missed, said.join('\n')).toEqual([]);
}, 300_000);
