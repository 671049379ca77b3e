import { chmod, chown, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { openJournal, type Journal } from './journal.ts';
import { formatHead } from './results.ts';

const head = formatHead('csv');
const counts = { done: 1, replayed: 0, rejected: 0, unknown: 0, invalid: 0 };
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-journal-'));
  path = join(folder, 'results.csv');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = () =>
  openJournal({
    path,
    run: { batchId: 'b' },
    head,
    nowMs: 1,
    mustResume: false,
    replaced: undefined,
  });

async function begin(): Promise<Journal> {
  const opened = await open();
  if (!opened.ok) throw new Error(opened.failure.message);
  return opened.value;
}

async function refusal(): Promise<string> {
  const opened = await open();
  if (opened.ok) throw new Error('it was begun');
  return opened.failure.message;
}

describe.each(['partial', 'journal'])('a file at .%s', (ending) => {
  test('that is a link is not followed', async () => {
    await writeFile(join(folder, 'precious'), 'precious');
    await symlink(join(folder, 'precious'), `${path}.${ending}`);
    expect(await refusal()).toContain('symbolic link');
    expect(await readFile(join(folder, 'precious'), 'utf8')).toBe('precious');
    expect((await readdir(folder)).sort()).toEqual(['precious', `results.csv.${ending}`]);
  });

  test('that all may change, or of another user, is not used', async () => {
    await writeFile(`${path}.${ending}`, '');
    await chmod(`${path}.${ending}`, 0o666);
    expect(await refusal()).toContain('changed by other users');
    await chmod(`${path}.${ending}`, 0o600);
    if (process.geteuid?.() !== 0) return;
    await chown(`${path}.${ending}`, 65_534, 65_534);
    expect(await refusal()).toContain('another user');
  });

  test('that is something else is not overwritten', async () => {
    await writeFile(`${path}.${ending}`, 'dear diary\nof mine\n');
    expect(await refusal()).toContain('not overwritten');
    expect(await readFile(`${path}.${ending}`, 'utf8')).toBe('dear diary\nof mine\n');
  });
});

describe('a run', () => {
  test('leaves a file that came while it ran, and its results beside it', async () => {
    const journal = await begin();
    await journal.append('1,done\r\n', { row: 1, digest: '', counts });
    await writeFile(path, 'precious');
    await expect(journal.finish()).rejects.toThrow('not overwritten');
    expect(await readFile(path, 'utf8')).toBe('precious');
    expect(await readFile(`${path}.partial`, 'utf8')).toBe(`${head}1,done\r\n`);
    await rm(path);
    const again = await begin();
    expect(again.resumed?.row).toBe(1);
    await again.finish();
    expect(await readFile(path, 'utf8')).toBe(`${head}1,done\r\n`);
    expect(await readdir(folder)).toEqual(['results.csv']);
  });

  test('goes on after what is on the disk, and not without it', async () => {
    const journal = await begin();
    await journal.append('1,done\r\n', { row: 1, digest: '', counts });
    await journal.close();
    await writeFile(`${path}.partial`, `${head}1,done\r\n2,do`);
    const again = await begin();
    await again.append('2,done\r\n', { row: 2, digest: '', counts });
    await again.close();
    expect(await readFile(`${path}.partial`, 'utf8')).toBe(`${head}1,done\r\n2,done\r\n`);
    await rm(`${path}.partial`);
    expect(await refusal()).toContain('lacks results');
  });

  test('begins again over a journal of which a crash left half a line', async () => {
    await writeFile(`${path}.journal`, '{"run":{"ba');
    const journal = await begin();
    expect(journal.resumed).toBeUndefined();
    await journal.close();
    expect(await readFile(`${path}.journal`, 'utf8')).toMatch(/^\{"run":\{"batchId":"b"\}/);
  });
});
