import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { readIfPresent, writeFileAtomic, writeFileSynced } from './files.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dw-files-'));
  file = join(folder, 'settings.json');
});
afterEach(() => rm(folder, { recursive: true }));

it('an atomic write replaces the file, with access for its owner only', async () => {
  await writeFile(file, 'old', { mode: 0o644 });
  await writeFileAtomic(file, 'new');
  expect(await readFile(file, 'utf8')).toBe('new');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['settings.json']);
});

it('a failed atomic write leaves no temporary file', async () => {
  await mkdir(file);
  await expect(writeFileAtomic(file, 'new')).rejects.toThrow();
  expect(await readdir(folder)).toEqual(['settings.json']);
});

it('a synced write does not replace an existing file', async () => {
  await writeFileSynced(file, 'first');
  await expect(writeFileSynced(file, 'second')).rejects.toThrow('EEXIST');
  expect(await readIfPresent(file)).toBe('first');
  expect(await readIfPresent(join(folder, 'absent'))).toBeNull();
});
