import { spawnSync } from 'node:child_process';
import {
  chmod,
  chown,
  link,
  lstat,
  mkdtemp,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { openOwnFile, publishFile, readTextIfAny } from './files.ts';

const isRoot = process.geteuid?.() === 0;
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-files-'));
  path = join(folder, 'out.partial');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The path of a file that another user owns: a new one if the tests run as root, else root's. */
async function makeForeign(): Promise<string> {
  if (!isRoot) return '/etc/passwd';
  await writeFile(path, 'theirs', { mode: 0o600 });
  await chown(path, 65_534, 65_534);
  return path;
}

const refusal = async (name: string): Promise<string> => {
  const opened = await openOwnFile(name, 'file');
  if (!opened.ok) return `${opened.failure.reason} ${opened.failure.message}`;
  await opened.value.file.close();
  throw new Error('it was opened');
};

describe('output files', () => {
  test('an output file is created with mode 0600, and can be opened again', async () => {
    const made = await openOwnFile(path, 'file');
    if (!made.ok) throw new Error(made.failure.message);
    await made.value.file.close();
    expect([made.value.isNew, (await stat(path)).mode & 0o777]).toEqual([true, 0o600]);
    const again = await openOwnFile(path, 'file');
    if (!again.ok) throw new Error(again.failure.message);
    await again.value.file.close();
    expect(again.value.isNew).toBe(false);
  });

  test.each(['there', 'missing'])('a link whose target is %s is not followed', async (name) => {
    const target = join(folder, name);
    if (name === 'there') await writeFile(target, 'precious');
    await symlink(target, path);
    expect(await refusal(path)).toContain('symbolic link');
    expect(await readFile(target, 'utf8').catch(() => 'none')).toBe(
      name === 'there' ? 'precious' : 'none',
    );
  });

  test.each([0o666, 0o620, 0o602])('an output file with mode %o is refused', async (mode) => {
    await writeFile(path, 'x');
    await chmod(path, mode);
    expect(await refusal(path)).toContain('changed by other users');
  });

  test('an output file with a second hard link is refused', async () => {
    await writeFile(join(folder, 'other'), 'precious');
    await link(join(folder, 'other'), path);
    expect(await refusal(path)).toContain('hard link');
  });

  test('an output file that another user owns is refused', async () => {
    expect(await refusal(await makeForeign())).toMatch(/another user|cannot be written/);
  });

  test('a named pipe in place of an output file is refused', async () => {
    expect(spawnSync('sh', ['-c', `mkfifo ${path}`]).status).toBe(0);
    expect(await refusal(path)).toMatch(/not a regular file|cannot be written/);
  });
});

describe('finished files', () => {
  const begin = async () => {
    await writeFile(path, 'new', { mode: 0o600 });
    return { file: await lstat(path), partial: path };
  };
  const place = () => join(folder, 'out');

  test('a finished file is renamed to its final name', async () => {
    expect(await publishFile(await begin(), place(), undefined)).toBe(true);
    expect(await readFile(place(), 'utf8')).toBe('new');
    await expect(lstat(path)).rejects.toThrow('ENOENT');
  });

  test('a finished file does not replace a file or link that was created meanwhile', async () => {
    const made = await begin();
    await writeFile(place(), 'precious');
    expect(await publishFile(made, place(), undefined)).toBe(false);
    expect(await readFile(place(), 'utf8')).toBe('precious');
    await rm(place());
    await symlink(join(folder, 'nowhere'), place());
    expect(await publishFile(made, place(), undefined)).toBe(false);
  });

  test('a finished file replaces only the file that was confirmed', async () => {
    const made = await begin();
    await writeFile(place(), 'old');
    const agreed = await lstat(place());
    await writeFile(join(folder, 'other'), 'precious');
    await rm(place());
    await link(join(folder, 'other'), place());
    expect(await publishFile(made, place(), agreed)).toBe(false);
    expect(await publishFile(made, place(), await lstat(place()))).toBe(true);
    expect(await readFile(place(), 'utf8')).toBe('new');
    expect(await readFile(join(folder, 'other'), 'utf8')).toBe('precious');
  });

  test('a partial file that another process replaced is not published', async () => {
    const made = await begin();
    await rm(path);
    await writeFile(join(folder, 'filler'), '');
    await writeFile(path, 'false');
    await expect(publishFile(made, place(), undefined)).rejects.toThrow('replaced by another');
  });
});

describe('settings files', () => {
  test('a settings file is read, also through a link', async () => {
    await writeFile(path, 'text');
    await symlink(path, join(folder, 'link'));
    expect(await readTextIfAny(join(folder, 'link'))).toBe('text');
    expect(await readTextIfAny(join(folder, 'none'))).toBeUndefined();
  });

  test('a settings file writable by all, or of another user than root, is refused', async () => {
    await writeFile(path, 'text');
    await chmod(path, 0o666);
    await expect(readTextIfAny(path)).rejects.toThrow('changed by other users');
    await rm(path);
    if (isRoot) await expect(readTextIfAny(await makeForeign())).rejects.toThrow('another user');
    else expect(await readTextIfAny('/etc/passwd')).toContain('root');
  });
});
