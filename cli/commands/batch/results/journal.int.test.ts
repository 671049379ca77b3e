import { chmod, chown, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { LockLostError } from './files.ts';
import { openJournal, type Journal } from './journal.ts';
import { formatHead } from './results.ts';

const head = formatHead('csv');
const counts = { done: 1, replayed: 0, rejected: 0, unknown: 0, invalid: 0 };
let folder: string;
let path: string;
let isHeld: boolean;
let isFromOtherHost: boolean;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-journal-'));
  path = join(folder, 'results.csv');
  isHeld = true;
  isFromOtherHost = false;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = () =>
  openJournal({
    path,
    run: { batchId: 'b' },
    head,
    mustResume: false,
    replaced: undefined,
    lock: { isHeld: () => Promise.resolve(isHeld), isFromOtherHost },
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
  test('a symbolic link in place of a batch file is not followed', async () => {
    await writeFile(join(folder, 'precious'), 'precious');
    await symlink(join(folder, 'precious'), `${path}.${ending}`);
    expect(await refusal()).toContain('symbolic link');
    expect(await readFile(join(folder, 'precious'), 'utf8')).toBe('precious');
    expect((await readdir(folder)).sort()).toEqual(['precious', `results.csv.${ending}`]);
  });

  test('a batch file of another user, or writable by all, is not used', async () => {
    await writeFile(`${path}.${ending}`, '');
    await chmod(`${path}.${ending}`, 0o666);
    expect(await refusal()).toContain('changed by other users');
    await chmod(`${path}.${ending}`, 0o600);
    if (process.geteuid?.() !== 0) return;
    await chown(`${path}.${ending}`, 65_534, 65_534);
    expect(await refusal()).toContain('another user');
  });

  test('a file with other content in place of a batch file is not overwritten', async () => {
    await writeFile(`${path}.${ending}`, 'dear diary\nof mine\n');
    expect(await refusal()).toContain('not overwritten');
    expect(await readFile(`${path}.${ending}`, 'utf8')).toBe('dear diary\nof mine\n');
  });
});

describe('batch runs', () => {
  test('a file created during a run is not overwritten, and the results are kept', async () => {
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

  test('a batch resumes after the results on disk, and fails if these are missing', async () => {
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

  test('a journal with half a line, as left by a crash, is started again', async () => {
    await writeFile(`${path}.journal`, '{"run":{"ba');
    const journal = await begin();
    expect(journal.resumed).toBeUndefined();
    await journal.close();
    expect(await readFile(`${path}.journal`, 'utf8')).toMatch(/^\{"run":\{"batchId":"b"\}/);
  });

  test('deferred rows survive a restart, and late results are written in row order', async () => {
    const journal = await begin();
    const first = { row: 4, digest: '', counts, deferred: [1, 3] };
    await journal.append('2,done\r\n4,done\r\n', first);
    await journal.append('1,done\r\n', { row: 4, digest: '', counts, back: [1] });
    await journal.close();
    const again = await begin();
    expect(again.resumed?.row).toBe(4);
    expect([...(again.resumed?.deferred ?? [])]).toEqual([3]);
    await again.append('5,done\r\n12,done\r\n', { row: 12, digest: '', counts });
    // Handed over before the one above was written: both are one line.
    void again.append('13,done\r\n', { row: 14, digest: '', counts, deferred: [14] });
    await again.append('3,done\r\n14,done\r\n', { row: 14, digest: '', counts, back: [3, 14] });
    await again.finish();
    const rows = [1, 2, 3, 4, 5, 12, 13, 14].map((row) => `${row},done\r\n`).join('');
    expect(await readFile(path, 'utf8')).toBe(`${head}${rows}`);
    expect(await readdir(folder)).toEqual(['results.csv']);
  });

  test('a late result that is not in the journal is not counted after a crash', async () => {
    const journal = await begin();
    await journal.append('2,done\r\n', { row: 2, digest: '', counts, deferred: [1] });
    await journal.close();
    await writeFile(`${path}.partial`, `${head}2,done\r\n1,done\r\n`);
    const again = await begin();
    expect([...(again.resumed?.deferred ?? [])]).toEqual([1]);
    await again.append('1,done\r\n', { row: 2, digest: '', counts, back: [1] });
    await again.finish();
    expect(await readFile(path, 'utf8')).toBe(`${head}1,done\r\n2,done\r\n`);
  });

  test('late results among 20,000 rows are written in row order', async () => {
    const journal = await begin();
    const line = (row: number): string => `${row},done,${'x'.repeat(60)}\r\n`;
    const all = Array.from({ length: 20_000 }, (_, i) => i + 1);
    const late = all.filter((row) => row % 7 === 0);
    const others = all.filter((row) => row % 7 !== 0);
    const place = { row: 20_000, digest: '', counts };
    await journal.append(others.map(line).join(''), { ...place, deferred: late });
    await journal.append(late.map(line).join(''), { ...place, back: late });
    await journal.finish();
    expect(await readFile(path, 'utf8')).toBe(head + all.map(line).join(''));
  });

  test('sorting the results does not overwrite another file at .sorted', async () => {
    const journal = await begin();
    await journal.append('2,done\r\n', { row: 2, digest: '', counts, deferred: [1] });
    await journal.append('1,done\r\n', { row: 2, digest: '', counts, back: [1] });
    await writeFile(`${path}.sorted`, 'dear diary\n', { mode: 0o600 });
    await expect(journal.finish()).rejects.toThrow('remove it');
    expect(await readFile(`${path}.sorted`, 'utf8')).toBe('dear diary\n');
    await rm(`${path}.sorted`);
    await (await begin()).finish();
    expect(await readFile(path, 'utf8')).toBe(`${head}1,done\r\n2,done\r\n`);
  });
});

describe('a run that another host takes over', () => {
  test('the process that lost the lock writes nothing, sends nothing and does not end', async () => {
    const journal = await begin();
    await journal.append('1,done\r\n', { row: 1, digest: '', counts });
    await journal.noteSent(1);
    await vi.waitFor(
      async () => {
        expect(await readFile(`${path}.journal`, 'utf8')).toContain('"row":1');
      },
      { timeout: 20_000 },
    );
    isHeld = false;
    await expect(journal.noteSent(2)).rejects.toThrow(LockLostError);
    await journal.append('2,done\r\n', { row: 2, digest: '', counts }).catch(() => undefined);
    await expect(journal.finish()).rejects.toThrow(LockLostError);
    expect(await readFile(`${path}.partial`, 'utf8')).toBe(`${head}1,done\r\n`);
    expect(await readFile(`${path}.journal`, 'utf8')).not.toContain('"row":2');
    expect((await readdir(folder)).sort()).toEqual(['results.csv.journal', 'results.csv.partial']);
  });

  test('what a stopped process still writes does not reach the files of its successor', async () => {
    const stopped = await begin();
    await stopped.append('1,done\r\n', { row: 1, digest: '', counts });
    await vi.waitFor(
      async () => {
        expect(await readFile(`${path}.journal`, 'utf8')).toContain('"row":1');
      },
      { timeout: 20_000 },
    );
    isFromOtherHost = true;
    const next = await begin();
    expect(next.resumed).toMatchObject({ row: 1 });
    // It was past the check of the lock when it was stopped.
    await stopped.append('2,unknown\r\n', { row: 2, digest: '', counts });
    await expect(stopped.finish()).rejects.toThrow('replaced by another file');
    await next.append('2,done\r\n', { row: 2, digest: '', counts });
    await next.finish();
    expect(await readFile(path, 'utf8')).toBe(`${head}1,done\r\n2,done\r\n`);
    expect(await readdir(folder)).toEqual(['results.csv']);
  });
});
