import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { failpointFunction, failpoints, plantFailpoints } from './failpoints.ts';

const listFiles = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => /\.(ts|js)$/.test(name));

describe('failpoints', () => {
  it.each(failpoints)('$name: its place is in the source exactly once', ({ file, name }) => {
    const planted = plantFailpoints(file, readFileSync(file, 'utf8'));
    expect(planted.split(`${failpointFunction}?.(${JSON.stringify(name)})`)).toHaveLength(2);
  });

  it('source of the product has none, nor do its builds', () => {
    const built = ['dist/daemon', 'dist/cli'].filter((folder) => existsSync(folder));
    const files = ['daemon', 'lib', 'core', 'cli', ...built].flatMap(listFiles);
    expect(files.length).toBeGreaterThan(100);
    const withOne = files.filter((file) => readFileSync(file, 'utf8').includes(failpointFunction));
    expect(withOne).toEqual([]);
  });
});
