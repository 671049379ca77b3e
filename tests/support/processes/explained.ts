import { expect } from 'vitest';

import type { Finished } from '../../../scripts/product.ts';

/** A cause, a remedy, the exit code, and nothing for developers. */
export function expectExplained(
  done: Pick<Finished, 'code' | 'stderr'>,
  code: number,
  reported: RegExp,
) {
  // The log is for those who look further.
  const stderr = done.stderr
    .split('\n')
    .filter((line) => !line.startsWith('{'))
    .join('\n');
  expect({ code: done.code, stderr }).toMatchObject({ code });
  expect(stderr).toMatch(reported);
  expect(stderr).toMatch(/^walletd: /m);
  expect(stderr).toMatch(/^hint: \S/m);
  expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  expect(stderr).not.toContain('node:internal');
  expect(stderr).not.toContain('unexpected');
}
