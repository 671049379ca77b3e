import { readFile } from 'node:fs/promises';

import { beforeAll, expect, it } from 'vitest';

import { drawScreens } from '../../../scripts/screens/run.ts';
import { midnightTimeoutMs, waitPastMidnight } from '../../support/midnight.ts';

const hint = 'run `npm run docs:screens` and commit docs/screens.md';

/** Milliseconds that a check took differ from run to run, and where their lines end with them. */
const withoutSpans = (text: string): string =>
  text.replace(/\d+(\.\d+)?\s+m?s(?= |\)|$)/gm, 'N ms').replace(/\s+/g, ' ');

beforeAll(waitPastMidnight, midnightTimeoutMs);

it(
  'terminals of 40, 80 and 132 columns show what docs/screens.md prints',
  { timeout: 240_000 },
  async () => {
    const page = await readFile(new URL('../../../docs/screens.md', import.meta.url), 'utf8');
    const drawn = await drawScreens();
    expect(withoutSpans(drawn), hint).toBe(withoutSpans(page));
  },
);
