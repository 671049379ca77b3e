import { defineConfig } from 'vitest/config';

import { areas } from './areas.ts';

const { tests = [] } = areas[process.env['MUTATION_AREA'] ?? ''] ?? {};

// The tests of one area. Those of `*.int.test.ts` that an area names by their ending need files only.
export default defineConfig({
  test: {
    pool: 'forks',
    include: [...tests],
    exclude: [
      '**/node_modules/**',
      '**/*.e2e.test.ts',
      ...(tests.some((one) => one.endsWith('.int.test.ts')) ? [] : ['**/*.int.test.ts']),
    ],
    // What a change keeps from ending fails: shorter than a new worker takes for a time-out.
    testTimeout: 10_000,
  },
});
