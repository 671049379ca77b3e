import { readFile } from 'node:fs/promises';

import { beforeAll, expect, it } from 'vitest';

import { runTour } from '../../../scripts/tour-story/run.ts';
import { midnightTimeoutMs, waitPastMidnight } from '../../support/midnight.ts';

beforeAll(waitPastMidnight, midnightTimeoutMs);

it(
  'the day of a shop in docs/tour.md ends as each step says, and prints what the page says',
  { timeout: 240_000 },
  async () => {
    const guide = await readFile(new URL('../../../docs/tour.md', import.meta.url), 'utf8');
    expect(await runTour(), 'run `npm run docs:tour` and commit docs/tour.md').toBe(guide);
  },
);
