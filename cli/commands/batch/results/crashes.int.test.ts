import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from 'vitest';

import {
  watchDisk,
  type CrashingDisk,
  type Survival,
} from '../../../../tests/support/files/crashing-disk.ts';
import { openJournal, type Journal } from './journal.ts';
import { formatHead } from './results.ts';

const head = formatHead('csv');
const counts = { done: 1, replayed: 0, rejected: 0, unknown: 0, invalid: 0 };
/** Row 3 waits for a locked wallet, and gets its result after the others. */
const rows = [1, 2, 3, 4, 5, 12_000];
const textOf = (some: readonly number[]): string => some.map((row) => `${row},done\r\n`).join('');
const keysOf = (some: readonly number[]): string[] => some.map((row) => `key ${row}`);
const whole = head + textOf(rows);

/** What must be on the disk, since a call of the run has resolved. */
type Promised = { position: string | undefined; sentRow: number; paidKeys: string[] };

let folder: string;
let path: string;
let disk: CrashingDisk | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-crash-'));
  path = join(folder, 'results.csv');
  disk = undefined;
});
afterEach(async () => {
  await disk?.restore();
  await rm(folder, { recursive: true, force: true });
});

async function begin(paidKeys: string[] = []): Promise<Journal> {
  const opened = await openJournal({
    ...{ path, run: { batchId: 'b' }, head, mustResume: false, replaced: undefined },
    lock: { isHeld: () => Promise.resolve(true), isFromOtherHost: false },
    addPaid: async (keys) => {
      await sleep(5);
      paidKeys.push(...keys);
    },
  });
  if (!opened.ok) throw new Error(opened.failure.message);
  return opened.value;
}

/** A run from its first row to its end; `isPaced`: the disk keeps up with it. */
async function runAll(promised: Promised, isPaced: boolean): Promise<void> {
  const journal = await begin(promised.paidKeys);
  const send = async (row: number): Promise<void> => {
    await journal.noteSent(row);
    promised.sentRow = row;
  };
  const add = async (some: readonly number[], row: number, change = {}): Promise<void> => {
    const line = { row, digest: '', counts, ...change };
    await journal.append(textOf(some), line, keysOf(some));
    if (isPaced) await sleep(10);
  };
  await journal.notePosition('17');
  promised.position = '17';
  await send(2);
  await add([1, 2], 2);
  await send(5);
  await add([4, 5], 5, { deferred: [3] });
  await send(12_000);
  await add([12_000], 12_000);
  await add([3], 12_000, { back: [3] });
  await journal.finish();
}

/** Goes on after a crash as the next run does, and checks what it finds. */
async function resume(promised: Promised): Promise<void> {
  if (existsSync(path) && !existsSync(`${path}.journal`)) return;
  const journal = await begin();
  const { resumed, position } = journal;
  expect(resumed?.sentRow ?? 0).toBeGreaterThanOrEqual(promised.sentRow);
  if (promised.sentRow > 0) expect(position).toBe(promised.position);
  const counted = rows.filter((row) => row <= (resumed?.row ?? 0) && !resumed?.deferred.has(row));
  expect(promised.paidKeys).toEqual(expect.arrayContaining(keysOf(counted)));
  const later = rows.filter((row) => row > (resumed?.row ?? 0));
  if (later.length > 0) await journal.append(textOf(later), { row: 12_000, digest: '', counts });
  const late = [...(resumed?.deferred ?? [])];
  if (late.length > 0) {
    await journal.append(textOf(late), { row: 12_000, digest: '', counts, back: late });
  }
  await journal.finish();
}

const isJournal = (name: string): boolean => name.endsWith('.journal');

const crashes: readonly (readonly [string, boolean, (name: string) => Survival])[] = [
  ['all that was written survives', false, () => 'all'],
  ['only what was flushed survives', true, () => 'durable'],
  ['the journal survives, results that were not flushed do not', false, journalSurvives],
  ['the results survive, lines of the journal that were not flushed do not', true, resultsSurvive],
];

test.each(crashes)(
  'a run resumes after a crash at any moment: %s',
  async (_what, isPaced, survivalOf) => {
    for (let crashAt = 0, isDone = false; !isDone; crashAt += 1) {
      await rm(folder, { recursive: true, force: true });
      folder = await mkdtemp(join(tmpdir(), 'wallet-crash-'));
      path = join(folder, 'results.csv');
      const promised: Promised = { position: undefined, sentRow: 0, paidKeys: [] };
      disk = await watchDisk(folder, crashAt);
      const run = runAll(promised, isPaced).then(() => true);
      isDone = await Promise.race([run, disk.crashed.then(() => false)]);
      await disk.restore();
      disk.crash(survivalOf);
      const at = disk.operations.at(-1);
      await resume(promised);
      expect([at, await readFile(path, 'utf8')]).toEqual([at, whole]);
      expect(crashAt).toBeLessThan(200);
    }
  },
);

function journalSurvives(name: string): Survival {
  return isJournal(name) ? 'all' : 'durable';
}

function resultsSurvive(name: string): Survival {
  return isJournal(name) ? 'durable' : 'all';
}

test('names are flushed before a row is sent, and at the end of a run', async () => {
  disk = await watchDisk(folder);
  const journal = await begin();
  const flushes = () => disk?.operations.filter(({ file }) => file === 'folder') ?? [];
  expect(flushes().at(-1)?.names).toEqual(['results.csv.journal', 'results.csv.partial']);
  await journal.noteSent(1);
  await journal.append(textOf([1]), { row: 1, digest: '', counts });
  await journal.finish();
  expect(flushes().at(-1)?.names).toEqual(['results.csv']);
});

test('a note of what is sent is on the disk before it resolves, and only when it is new', async () => {
  disk = await watchDisk(folder);
  const journal = await begin();
  const ofJournal = () => disk?.operations.filter(({ file }) => isJournal(file)) ?? [];
  const before = ofJournal().length;
  await journal.noteSent(1);
  expect(ofJournal().slice(before)).toMatchObject([
    { method: 'appendFile' },
    { method: 'datasync' },
  ]);
  await journal.noteSent(10_001);
  expect(ofJournal()).toHaveLength(before + 2);
  await journal.noteSent(10_002);
  expect(ofJournal()).toHaveLength(before + 4);
  await journal.close();
});
