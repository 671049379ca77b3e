import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    include: ['**/*.test.ts'],
    exclude: ['node_modules', 'dist', 'bench'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
