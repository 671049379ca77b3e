import { readFile } from 'node:fs/promises';

import { expect, it } from 'vitest';

import { drawScreens } from '../../../scripts/screens/run.ts';

it(
  'terminals of 40, 80 and 132 columns show what docs/screens.md prints',
  { timeout: 240_000 },
  async () => {
    const page = await readFile(new URL('../../../docs/screens.md', import.meta.url), 'utf8');
    const drawn = await drawScreens();
    expect(drawn, 'run `npm run docs:screens` and commit docs/screens.md').toBe(page);
  },
);
