import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { lookAt } from '../../../files/files.ts';
import { openJournal } from './journal.ts';
import { isCutOffAtEnd } from './publication.ts';
import { formatHead } from './results.ts';

const head = formatHead('csv');
const counts = { done: 3, replayed: 0, rejected: 0, unknown: 0, invalid: 0 };
const whole = `${head}1,done\r\n2,done\r\n3,done\r\n`;
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-cut-off-'));
  path = join(folder, 'results.csv');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);

/** Ends a run in a process of its own, which is killed before its nth call of the file system. */
const script = `
  import fs from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  const { openJournal } = await import(${module('./journal.ts')});
  const { lookAt } = await import(${module('../../../files/files.ts')});
  const [path, head, counts, isLate, nth] = process.argv.slice(1);
  const replaced = await lookAt(path);
  const opened = await openJournal({
    path, head, replaced, run: { batchId: 'b' }, mustResume: false,
    lock: { isHeld: () => Promise.resolve(true), isFromOtherHost: false },
  });
  const line = { digest: '', counts: JSON.parse(counts) };
  const journal = opened.value;
  await journal.notePosition('1');
  await journal.noteSent(3);
  if (isLate === 'late') {
    await journal.append('2,done\\r\\n3,done\\r\\n', { ...line, row: 3, deferred: [1] });
    await journal.append('1,done\\r\\n', { ...line, row: 3, back: [1] });
  } else {
    await journal.append('1,done\\r\\n2,done\\r\\n3,done\\r\\n', { ...line, row: 3 });
  }
  // Until the journal has the last line: what is killed is the end of the run.
  const last = isLate === 'late' ? '"back":[1]' : '"row":3';
  while (!(await fs.promises.readFile(path + '.journal', 'utf8')).includes(last)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  let calls = 0;
  const killBefore = (object, name) => {
    const call = object[name];
    object[name] = function (...args) {
      calls += 1;
      if (calls === Number(nth)) process.kill(process.pid, 'SIGKILL');
      return call.apply(this, args);
    };
  };
  const any = await fs.promises.open(process.execPath);
  const handle = Object.getPrototypeOf(any);
  await any.close();
  for (const name of ['rename', 'link', 'rm', 'open', 'lstat']) killBefore(fs.promises, name);
  for (const name of ['sync', 'datasync', 'appendFile', 'write', 'truncate', 'close']) {
    killBefore(handle, name);
  }
  syncBuiltinESMExports();
  await journal.finish();`;

async function endKilledAt(nth: number, isLate: boolean): Promise<boolean> {
  const values = [path, head, JSON.stringify(counts), isLate ? 'late' : '', String(nth)];
  const args = ['--import', 'tsx', '--input-type=module', '-e', script, ...values];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (signal === null) expect(code).toBe(0);
  return signal === 'SIGKILL';
}

const open = async () =>
  openJournal({
    ...{ path, head, run: { batchId: 'b' }, mustResume: false },
    replaced: await lookAt(path),
    lock: { isHeld: () => Promise.resolve(true), isFromOtherHost: false },
  });

test.each([
  ['in order', false, undefined],
  ['with late rows', true, undefined],
  ['over those of an earlier run', false, `${head}1,invalid\r\n`],
])('a run killed at any step of its end is finished: %s', { timeout: 120_000 }, async (...of) => {
  const [, isLate, before] = of;
  let isKilled = true;
  let resumes = 0;
  for (let nth = 1; isKilled; nth += 1) {
    if (before === undefined) await rm(path, { force: true });
    else await writeFile(path, before, { mode: 0o600 });
    isKilled = await endKilledAt(nth, isLate);
    const published = (await readFile(path, 'utf8').catch(() => '')) === whole;
    const isCutOff = await isCutOffAtEnd(path, `${path}.journal`);
    const opened = await open();
    if (!opened.ok) throw new Error(`step ${nth}: ${opened.failure.message}`);
    const { resumed } = opened.value;
    if (resumed) {
      resumes += 1;
      // Its results need no question before they are replaced.
      if (published) expect(isCutOff, `step ${nth}`).toBe(true);
      expect(resumed, `step ${nth}`).toMatchObject({ row: 3, counts });
      await opened.value.finish();
    } else {
      // Without a journal all is done: the results are there.
      expect(published, `step ${nth}`).toBe(true);
      await opened.value.close();
      for (const ending of ['partial', 'journal']) await rm(`${path}.${ending}`);
    }
    expect(await readFile(path, 'utf8'), `step ${nth}`).toBe(whole);
    expect(await readdir(folder), `step ${nth}`).toEqual(['results.csv']);
  }
  expect(resumes).toBeGreaterThan(5);
});
