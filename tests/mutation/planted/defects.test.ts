import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { defects } from './defects.ts';

it.each(Object.entries(defects))('%s: its text is in its file exactly once', (_name, defect) => {
  const { file, find, replace, tests } = defect;
  expect(readFileSync(file, 'utf8').split(find)).toHaveLength(2);
  expect(replace).not.toBe(find);
  for (const test of tests) expect(() => readFileSync(test)).not.toThrow();
});
