import {
  chmod,
  link,
  mkdtemp,
  mkdir,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { openInsecureFiles } from './insecure-file.ts';

const account = 'default@127.0.0.1:50051';
const unsafe = { ok: false, failure: { reason: 'CREDENTIAL_FILE_UNSAFE', exitCode: 4 } };

let home: string;
let dir: string;
let path: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'wallet-files-'));
  dir = join(home, 'credentials');
  path = join(dir, `${encodeURIComponent(account)}.json`);
});

afterEach(() => rm(home, { recursive: true, force: true }));

describe('secrets in files', () => {
  test('secrets are stored 0600 in a 0700 folder, replaced atomically, and removed', async () => {
    const files = openInsecureFiles(dir);
    expect(await files.load(account)).toEqual({ ok: true, value: undefined });
    await files.save(account, 'first');
    await files.save(account, 'second');
    expect(await files.load(account)).toEqual({ ok: true, value: 'second' });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    expect(await readdir(dir)).toHaveLength(1);
    await files.remove(account);
    expect(await files.load(account)).toEqual({ ok: true, value: undefined });
  });

  test('an account name cannot place a secret file outside its folder', async () => {
    const files = openInsecureFiles(dir);
    await files.save('../../x', 'secret');
    expect(await readdir(home)).toEqual(['credentials']);
  });

  test('a symbolic link as a secret file is refused, to read and to write', async () => {
    const files = openInsecureFiles(dir);
    await mkdir(dir, { mode: 0o700 });
    await writeFile(join(home, 'elsewhere'), 'x', { mode: 0o600 });
    await symlink(join(home, 'elsewhere'), path);
    expect(await files.load(account)).toMatchObject(unsafe);
    expect(await files.save(account, 'secret')).toMatchObject(unsafe);
  });

  test('a secret file with a second hard link is refused', async () => {
    const files = openInsecureFiles(dir);
    await files.save(account, 'secret');
    await link(path, join(home, 'other'));
    expect(await files.load(account)).toMatchObject(unsafe);
  });

  test('a secret file or folder that others can read is refused', async () => {
    const files = openInsecureFiles(dir);
    await files.save(account, 'secret');
    await chmod(path, 0o640);
    const loaded = await files.load(account);
    expect(loaded).toMatchObject(unsafe);
    expect(loaded.ok ? '' : loaded.failure.hint).toContain(`chmod 600 ${path}`);
    await chmod(path, 0o600);
    await chmod(dir, 0o755);
    expect(await files.load(account)).toMatchObject(unsafe);
    expect(await files.save(account, 'secret')).toMatchObject(unsafe);
  });

  test('a secrets folder that is a symbolic link is refused', async () => {
    await openInsecureFiles(dir).save(account, 'secret');
    await rename(dir, join(home, 'moved'));
    await symlink(join(home, 'moved'), dir);
    expect(await openInsecureFiles(dir).load(account)).toMatchObject(unsafe);
  });

  test('a folder in place of a secret file is refused', async () => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    expect(await openInsecureFiles(dir).load(account)).toMatchObject(unsafe);
  });
});
