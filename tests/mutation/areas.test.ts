import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { areas } from './areas.ts';

const root = new URL('../../', import.meta.url).pathname;
const files = ['core', 'cli', 'daemon', 'tests'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
    join(folder, file),
  ),
);

/** `a/{b,c}.ts` as `a/b.ts` and `a/c.ts`. */
function expand(pattern: string): string[] {
  const [, before = '', names = '', after = ''] = /^(.*?)\{(.*?)\}(.*)$/.exec(pattern) ?? [];
  if (names === '') return [pattern];
  return names.split(',').flatMap((name) => expand(`${before}${name}${after}`));
}

function hasFile(pattern: string): boolean {
  const parts = pattern.replaceAll('.', '\\.').split('**/');
  const regex = new RegExp(
    `^${parts.map((part) => part.replaceAll('*', '[^/]*')).join('(.+/)?')}$`,
  );
  return files.some((file) => regex.test(file));
}

it.each(Object.entries(areas))('the files of the area %s exist', (_name, { mutate, tests }) => {
  const patterns = [...mutate, ...tests].flatMap(expand);
  expect(patterns.filter((pattern) => !hasFile(pattern))).toEqual([]);
});

it('a file that is not there is noticed', () => {
  expect(['core/no-such-file.ts', 'core/no/*.ts'].filter(hasFile)).toEqual([]);
  expect(['core/money.ts', 'core/*.test.ts', 'daemon/statement/**/*.test.ts'].every(hasFile)).toBe(
    true,
  );
});
