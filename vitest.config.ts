import { availableParallelism } from 'node:os';

import { configDefaults, defineConfig } from 'vitest/config';

const exclude = [...configDefaults.exclude, 'dist/**', 'bench/**'];

// They load the machine, or are about how much gets done meanwhile: each has it for itself.
const alone = [
  'tests/e2e/load/*.e2e.test.ts',
  'tests/e2e/events/events-faults.e2e.test.ts',
  'tests/soak/soak.e2e.test.ts',
  'tests/faults/faults.e2e.test.ts',
  'tests/fuzz/fuzz.e2e.test.ts',
  'tests/poison/poison.e2e.test.ts',
  'tests/bundles/bundles.e2e.test.ts',
];

// unit: no services. int: a real Postgres and a real RabbitMQ of the run's own. e2e: the built
// programs as processes. alone: likewise, one file at a time, after all others.
export default defineConfig({
  test: {
    pool: 'forks',
    // Most tests wait for processes most of the time.
    maxWorkers: availableParallelism() + 1,
    coverage: {
      include: ['{core,cli,client,daemon,lib}/**/*.ts'],
      exclude: ['**/*.test.ts', '**/test-support.ts'],
      reporter: ['text-summary'],
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{core,cli,client,daemon,lib,tests}/**/*.test.ts'],
          exclude: [...exclude, '**/*.int.test.ts', '**/*.e2e.test.ts'],
          // Properties take some seconds, and longer on a loaded machine.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'int',
          include: ['{core,cli,client,daemon,lib,tests}/**/*.int.test.ts'],
          exclude,
          globalSetup: ['tests/support/postgres/setup.ts', 'tests/support/broker/setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['tests/**/*.e2e.test.ts'],
          exclude: [...exclude, ...alone],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'alone',
          include: alone,
          exclude,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
