import { appendFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { findSurprises } from './check-known.ts';
import { openKnownBatch, type Comparison, type KnownBatch } from './known-batch.ts';

const name = { server: 'localhost:1', caller: 'ana', batchId: 'may' };
let dir: string;

beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'wallet-known-')), 'batches');
});
afterEach(() => rm(join(dir, '..'), { recursive: true, force: true }));

async function open(): Promise<KnownBatch> {
  const opened = await openKnownBatch(dir, name, { isHeld: () => Promise.resolve(true) });
  if (!opened.ok) throw new Error(opened.failure.message);
  return opened.value;
}

const keysTo = (count: number, from = 0): string[] =>
  Array.from({ length: count - from }, (_, i) => `key-${from + i}`);

/** A run of a file with these keys, of which the first so many are paid. */
async function run(keys: readonly string[], paid: number, how: 'ends' | 'crashes' = 'ends') {
  const known = await open();
  for (const key of keys) known.see(key);
  const comparison = known.compare();
  expect((await known.begin(keys.length)).ok).toBe(true);
  await known.addPaid(keys.slice(0, paid));
  if (how === 'ends') await known.end();
  await known.close();
  return comparison;
}

test('a record that cannot be written ends the run before anything is sent', async () => {
  await writeFile(dir, 'a file where the folder should be');
  const known = await open();
  known.see('key');
  expect(await known.begin(1)).toMatchObject({ ok: false });
  await known.close();
});

test('a batch that is only looked at leaves nothing behind', async () => {
  const known = await open();
  known.see('key');
  expect(findSurprises(known.compare())).toEqual([]);
  await known.close();
  expect(await readdir(join(dir, '..'))).toEqual([]);
});

test.each<[string, string[], number, Partial<Comparison>, number]>([
  ['the same rows', keysTo(20_000), 19_000, { missing: 0, fresh: 1_000, unpaid: 1_000 }, 0],
  ['a paid row was changed', ['new', ...keysTo(20_000, 1)], 20_000, { missing: 1, fresh: 1 }, 2],
  ['a row was added', keysTo(20_001), 20_000, { missing: 0, fresh: 1, unpaid: 0 }, 1],
  ['unpaid rows were removed', keysTo(19_000), 19_000, { missing: 0, fresh: 0 }, 0],
  ['unpaid rows were corrected', [...keysTo(19_999), 'new'], 19_999, { fresh: 1, unpaid: 1 }, 0],
])('a file of a known batch id: %s', async (_what, keys, paid, expected, surprises) => {
  await run(keysTo(20_000), paid);
  const comparison = await run(keys, 0);
  expect(comparison).toMatchObject({ paid, ...expected });
  expect(findSurprises(comparison)).toHaveLength(surprises);
});

test('a row that was changed with consent is not asked about in numbers again', async () => {
  await run(keysTo(10), 10);
  const edited = ['new', ...keysTo(10, 1)];
  await run(edited, 5);
  expect(await run(edited, 10)).toMatchObject({ paid: 11, missing: 1, fresh: 0, unpaid: 0 });
});

test('rows that are others after a crash are noticed, also if no key had been paid', async () => {
  await run(keysTo(10), 0, 'crashes');
  expect(findSurprises(await run(keysTo(10), 0, 'crashes'))).toEqual([]);
  expect(findSurprises(await run(['new', ...keysTo(10, 1)], 0))).toHaveLength(1);
  expect(findSurprises(await run(keysTo(10), 0))).toEqual([]);
});

test('a key of which a crash left a part is written over', async () => {
  await run(keysTo(3), 3);
  const [file = ''] = (await readdir(dir)).filter((entry) => entry.endsWith('.paid'));
  await appendFile(join(dir, file), 'torn');
  expect(await run(keysTo(5), 5)).toMatchObject({ paid: 3, missing: 0, fresh: 2 });
  expect(await run(keysTo(5), 5)).toMatchObject({ paid: 5, missing: 0, fresh: 0 });
});
