import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Outcome } from '../../../outcome.ts';
import type { Total } from '../totals.ts';
import { LockLostError, ResultsError } from './files.ts';
import { openJournal, type Journal } from './journal.ts';
import { formatHead } from './results.ts';
import { failedOf, totalOf, type JournalOptions } from './run-files.ts';

const head = formatHead('csv');
const counts = { done: 1, replayed: 0, rejected: 0, unknown: 0, invalid: 0 };
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-openings-'));
  path = join(folder, 'results.csv');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (change: Partial<JournalOptions> = {}) =>
  openJournal({
    ...{ path, run: { batchId: 'b', input: 'i' }, head, mustResume: false, replaced: undefined },
    lock: { isHeld: () => Promise.resolve(true), isFromOtherHost: false },
    ...change,
  });

async function begin(change: Partial<JournalOptions> = {}): Promise<Journal> {
  const opened = await open(change);
  if (!opened.ok) throw new Error(opened.failure.message);
  return opened.value;
}

const failureOf = (outcome: Outcome<Journal>) => (outcome.ok ? undefined : outcome.failure);
const linesOf = async (): Promise<unknown[]> =>
  (await readFile(`${path}.journal`, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

describe('a run that is to go on', () => {
  test('without a journal it is refused, and leaves no file', async () => {
    expect(failureOf(await open({ mustResume: true }))).toMatchObject({
      reason: 'USAGE',
      field: 'resume',
      message: `there is no run to resume: ${path}.journal is missing`,
      hint: 'run the command without --resume; rows that were done keep their keys',
    });
    expect(await readdir(folder)).toEqual([]);
  });

  test('with one it goes on', async () => {
    await (await begin()).close();
    const journal = await begin({ mustResume: true });
    await journal.close();
  });

  test.each(['batchId', 'input'])('one with another %s is refused, and stays', async (name) => {
    await (await begin()).close();
    const before = await readFile(`${path}.journal`, 'utf8');
    const run = { batchId: 'b', input: 'i', [name]: 'other' };
    expect(failureOf(await open({ run }))).toMatchObject({
      reason: 'USAGE',
      field: 'results',
      message: `an unfinished run of another batch is in ${path} (other ${name})`,
      hint: expect.stringContaining(`remove ${path}.journal`) as string,
    });
    expect(await readFile(`${path}.journal`, 'utf8')).toBe(before);
    expect((await readdir(folder)).sort()).toEqual(['results.csv.journal', 'results.csv.partial']);
  });

  test('an empty journal, as a crash leaves it, is a run that has not begun', async () => {
    await writeFile(`${path}.journal`, '', { mode: 0o600 });
    const journal = await begin();
    expect([journal.resumed, journal.position]).toEqual([undefined, undefined]);
    await journal.close();
    expect((await linesOf())[0]).toEqual({ run: { batchId: 'b', input: 'i' } });
  });

  test.each(['{"other":1}\n', '{"run":"b"}\n', '[1]\n', 'x\n'])(
    'a journal that begins with %j is that of nothing that is known, and stays',
    async (text) => {
      await writeFile(`${path}.journal`, text, { mode: 0o600 });
      expect(failureOf(await open())).toMatchObject({ field: 'results' });
      expect(await readFile(`${path}.journal`, 'utf8')).toBe(text);
      expect(await readdir(folder)).toEqual(['results.csv.journal']);
    },
  );

  test('a refusal for the results leaves the journal that was there, and no new one', async () => {
    await writeFile(`${path}.partial`, 'dear diary\n', { mode: 0o600 });
    expect(failureOf(await open())?.message).toContain('holds no results of a batch');
    expect(await readdir(folder)).toEqual(['results.csv.partial']);
  });

  test('results that are shorter than the journal counts are refused, and not begun again', async () => {
    const journal = await begin();
    await journal.append('1,done\r\n', { row: 1, digest: 'd', counts });
    await journal.close();
    const whole = `${head}1,done\r\n`;
    await writeFile(`${path}.partial`, whole.slice(0, -1), { mode: 0o600 });
    expect(failureOf(await open())).toMatchObject({
      field: 'results',
      message: expect.stringContaining('lacks results') as string,
      hint: expect.stringContaining(`remove ${path}.journal`) as string,
    });
    await writeFile(`${path}.partial`, whole, { mode: 0o600 });
    const again = await begin();
    expect(again.resumed?.row).toBe(1);
    await again.close();
  });
});

describe('what a journal says', () => {
  test('an earlier run gives its row, digest, counts, totals and the row that was sent', async () => {
    const total = (rows: number, amountMinor: bigint): Total => ({
      ...{ status: 'done', operation: 'deposit', currency: 'BRL', rows, amountMinor },
    });
    const journal = await begin();
    await journal.notePosition('17');
    await journal.noteSent(1);
    const line = { digest: 'one', counts, totals: [total(1, 100n)] };
    await journal.append('1,done\r\n', { ...line, row: 1 });
    await journal.append('2,done\r\n', { ...line, row: 2, digest: 'two', totals: [total(1, 7n)] });
    await journal.close();
    const again = await begin();
    expect(again.position).toBe('17');
    expect(again.resumed).toMatchObject({
      ...{ row: 2, digest: 'two', counts, sentRow: 1, hasLate: false },
      totals: [total(2, 107n)],
      bytes: Buffer.byteLength(`${head}1,done\r\n2,done\r\n`),
    });
    expect(again.resumed?.deferred).toEqual(new Set());
    await again.close();
  });

  test('a run that was cut off before its first result knows what was sent', async () => {
    const journal = await begin();
    await journal.notePosition('17');
    await journal.noteSent(5);
    await journal.close();
    const again = await begin();
    expect(again.position).toBe('17');
    expect(again.resumed).toEqual({
      ...{ row: 0, bytes: 0, digest: '', hasLate: false, totals: [], deferred: new Set() },
      ...{ counts: { done: 0, replayed: 0, rejected: 0, unknown: 0, invalid: 0 }, sentRow: 5 },
    });
    // Its header is written again, once.
    await again.append('1,done\r\n', { row: 1, digest: '', counts });
    await again.close();
    expect(await readFile(`${path}.partial`, 'utf8')).toBe(`${head}1,done\r\n`);
  });

  test('a position from before nothing was sent does not count', async () => {
    const run = { batchId: 'b', input: 'i' };
    await writeFile(`${path}.journal`, `${JSON.stringify({ run })}\n{"position":"17"}\n`, {
      mode: 0o600,
    });
    const journal = await begin();
    expect([journal.position, journal.resumed]).toEqual([undefined, undefined]);
    await journal.close();
  });

  test('of several positions the last one counts', async () => {
    const run = { batchId: 'b', input: 'i' };
    const lines = [{ run }, { position: '1' }, { position: '2' }, { sentRow: 3 }];
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    await writeFile(`${path}.journal`, text, { mode: 0o600 });
    const journal = await begin();
    expect([journal.position, journal.resumed?.sentRow]).toEqual(['2', 3]);
    await journal.close();
  });

  test('a line that was cut off does not take the next one with it', async () => {
    const journal = await begin();
    await journal.noteSent(1);
    await journal.close();
    const text = await readFile(`${path}.journal`, 'utf8');
    await writeFile(`${path}.journal`, `${text}{"sentR`, { mode: 0o600 });
    const again = await begin();
    await again.noteSent(20_000);
    await again.close();
    const third = await begin();
    expect(third.resumed?.sentRow).toBe(20_000);
    await third.close();
  });

  test('what may have been sent is noted ahead, and known exactly after an orderly end', async () => {
    const journal = await begin();
    await journal.noteSent(7);
    expect((await linesOf()).at(-1)).toEqual({ sentRow: 10_007 });
    await journal.noteSent(3);
    await journal.close();
    expect((await linesOf()).at(-1)).toEqual({ sentRow: 7 });
  });

  test('late results are known as such after a restart', async () => {
    const journal = await begin();
    await journal.append('2,done\r\n', { row: 2, digest: '', counts, deferred: [1] });
    await journal.append('1,done\r\n', { row: 2, digest: '', counts, back: [1] });
    await journal.close();
    const again = await begin();
    expect(again.resumed).toMatchObject({ hasLate: true });
    expect(again.resumed?.deferred.size).toBe(0);
    await again.finish();
    expect(await readFile(path, 'utf8')).toBe(`${head}1,done\r\n2,done\r\n`);
  });

  test('what is not done is what was rejected, invalid or unknown', () => {
    const some = { done: 1, replayed: 2, rejected: 4, unknown: 8, invalid: 16 };
    expect([failedOf(some), totalOf(some)]).toEqual([28, 31]);
  });
});

describe('what cannot be written', () => {
  test('a folder that is not there is a failure of the results', async () => {
    const missing = join(folder, 'missing', 'results.csv');
    expect(failureOf(await open({ path: missing }))).toMatchObject({
      field: 'results',
      message: expect.stringContaining(`cannot write ${missing}.partial: ENOENT`) as string,
    });
  });

  test('keys that cannot be kept keep the results from the disk, and the next call says so', async () => {
    const addPaid = () => Promise.reject(new Error('the disk is full'));
    const journal = await begin({ addPaid });
    await journal.append('1,done\r\n', { row: 1, digest: '', counts }, ['key 1']);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const next = journal.append('2,done\r\n', { row: 2, digest: '', counts }, ['key 2']);
    await expect(next).rejects.toThrow(ResultsError);
    await expect(next).rejects.toThrow('the disk is full');
    await expect(journal.close()).rejects.toThrow('the disk is full');
    expect(await readFile(`${path}.partial`, 'utf8')).toBe(head);
  });

  test('keys of rows that are paid are kept before their results, in their order', async () => {
    const kept: string[] = [];
    const early: string[] = [];
    const addPaid = async (keys: readonly string[]) => {
      const written = await readFile(`${path}.partial`, 'utf8');
      early.push(...keys.filter((key) => written.includes(`${key},done`)));
      kept.push(...keys);
    };
    const journal = await begin({ addPaid });
    await journal.append('1,done\r\n', { row: 1, digest: '', counts }, ['1']);
    await journal.append('2,done\r\n', { row: 2, digest: '', counts }, ['2']);
    await journal.append('3,done\r\n', { row: 3, digest: '', counts });
    await journal.finish();
    expect([kept, early]).toEqual([['1', '2'], []]);
    expect(await readFile(path, 'utf8')).toBe(`${head}1,done\r\n2,done\r\n3,done\r\n`);
  });

  test('a lock that is lost stops the end of a run, and files are closed', async () => {
    let isHeld = true;
    const lock = { isHeld: () => Promise.resolve(isHeld), isFromOtherHost: false };
    const journal = await begin({ lock });
    isHeld = false;
    await expect(journal.close()).rejects.toThrow(LockLostError);
    await expect(journal.noteSent(1)).rejects.toThrow();
    await expect(journal.notePosition('1')).rejects.toThrow(ResultsError);
  });

  test('results get no name that another file has taken meanwhile', async () => {
    const journal = await begin();
    await journal.append('1,done\r\n', { row: 1, digest: '', counts });
    await writeFile(path, 'precious');
    await expect(journal.finish()).rejects.toThrow(`${path} was made meanwhile`);
    expect((await stat(`${path}.partial`)).isFile()).toBe(true);
  });
});
