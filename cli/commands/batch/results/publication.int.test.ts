import {
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { describePublished, isCutOffAtEnd, readPublished, takeBack } from './publication.ts';
import { renewBoth } from './renewal.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-publication-'));
  path = join(folder, 'results');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFile(name, text, { mode: 0o600 });
const identityOf = async (name: string) => {
  const { ino, size } = await stat(name);
  return { ino, size };
};

describe('what a journal says of results that get their name', () => {
  test('the last whole line counts, and half of one does not', () => {
    const first = { published: { ino: 1, size: 2 } };
    const last = { published: { ino: 3, size: 4 } };
    expect(readPublished([first, last, {}, undefined])).toEqual({ ino: 3, size: 4 });
    expect(readPublished([])).toBeUndefined();
    expect(readPublished([{ published: { ino: 1 } }])).toBeUndefined();
    expect(readPublished([{ published: { size: 1 } }])).toBeUndefined();
    expect(readPublished([{ published: { ino: '1', size: 2 } }])).toBeUndefined();
    expect(readPublished([{ published: 7 }])).toBeUndefined();
  });

  test('a file is described by what stays when it gets another name', async () => {
    await write(path, 'text');
    const file = await open(path, 'r');
    expect(await describePublished(file)).toEqual({ published: await identityOf(path) });
    await file.close();
  });

  test('a run was cut off at its end if the results are those of the journal beside them', async () => {
    const journal = `${path}.journal`;
    expect(await isCutOffAtEnd(path, journal)).toBe(false);
    await write(path, 'results');
    expect(await isCutOffAtEnd(path, journal)).toBe(false);
    const { ino, size } = await identityOf(path);
    const isThat = async (published: object): Promise<boolean> => {
      await write(journal, `{"run":{}}\n${JSON.stringify({ published })}\n{"cut`);
      return isCutOffAtEnd(path, journal);
    };
    expect(await isThat({ ino, size })).toBe(true);
    expect(await isThat({ ino: ino + 1, size })).toBe(false);
    expect(await isThat({ ino, size: size + 1 })).toBe(false);
  });

  test('a folder in the place of results is none', async () => {
    await mkdir(path);
    await write(`${path}.journal`, `${JSON.stringify({ published: await identityOf(path) })}\n`);
    expect(await isCutOffAtEnd(path, `${path}.journal`)).toBe(false);
  });
});

describe('results that are taken back', () => {
  test('without a published file of that kind nothing changes', async () => {
    await write(path, 'results');
    const published = await identityOf(path);
    expect(await takeBack(path, undefined)).toBeUndefined();
    expect(await takeBack(path, { ...published, size: published.size + 1 })).toBeUndefined();
    expect(await readdir(folder)).toEqual(['results']);
  });

  test('results with their name become partial results again', async () => {
    await write(path, 'results');
    expect(await takeBack(path, await identityOf(path))).toBeUndefined();
    expect(await readdir(folder)).toEqual(['results.partial']);
    expect(await readFile(`${path}.partial`, 'utf8')).toBe('results');
  });

  test('results under both names keep the one of partial results', async () => {
    await write(path, 'results');
    await link(path, `${path}.partial`);
    expect(await takeBack(path, await identityOf(path))).toBeUndefined();
    expect(await readdir(folder)).toEqual(['results.partial']);
  });

  test('a sorted copy may be replaced, and its second name goes', async () => {
    await write(path, 'sorted');
    await write(`${path}.partial`, 'unsorted');
    const { dev, ino } = await stat(path);
    expect(await takeBack(path, await identityOf(path))).toEqual({ dev, ino });
    expect((await readdir(folder)).sort()).toEqual(['results', 'results.partial']);
    await link(path, `${path}.sorted`);
    expect(await takeBack(path, await identityOf(path))).toEqual({ dev, ino });
    expect((await readdir(folder)).sort()).toEqual(['results', 'results.partial']);
  });

  test('another file of the name of the sorted copy stays', async () => {
    await write(path, 'sorted');
    await write(`${path}.partial`, 'unsorted');
    await write(`${path}.sorted`, 'precious');
    await takeBack(path, await identityOf(path));
    expect(await readFile(`${path}.sorted`, 'utf8')).toBe('precious');
  });
});

describe('files of a run that another host had', () => {
  test('copies take their place: whole, and separate from what was open', async () => {
    const text = 'x'.repeat(700_000);
    await write(`${path}.partial`, text);
    await write(`${path}.journal`, 'first\n');
    // What an earlier renewal left.
    await write(`${path}.partial.copy`, 'old');
    const before = await Promise.all([`${path}.partial`, `${path}.journal`].map(identityOf));
    const held = await open(`${path}.journal`, 'a+');
    const files = {
      partial: await open(`${path}.partial`, 'r+'),
      journal: await open(`${path}.journal`, 'a+'),
    };
    const renewed = await renewBoth(path, files);
    const after = await Promise.all([`${path}.partial`, `${path}.journal`].map(identityOf));
    expect(after.map(({ size }) => size)).toEqual([700_000, 6]);
    after.forEach(({ ino }, i) => expect(ino).not.toBe(before[i]?.ino));
    expect(await readFile(`${path}.partial`, 'utf8')).toBe(text);
    await held.appendFile('lost\n');
    // Lines of a journal are appended, wherever its handle was read; results have their places.
    await renewed.journal.appendFile('second\n');
    await renewed.partial.write(Buffer.from('y'), 0, 1, 0);
    expect(await readFile(`${path}.journal`, 'utf8')).toBe('first\nsecond\n');
    expect(await readFile(`${path}.partial`, 'utf8')).toBe(`y${text.slice(1)}`);
    // The handles from before are closed, and no copy is left.
    await expect(files.partial.stat()).rejects.toThrow();
    expect((await readdir(folder)).sort()).toEqual(['results.journal', 'results.partial']);
    for (const file of [held, renewed.partial, renewed.journal]) await file.close();
  });

  test('a link in the place of a copy is removed, and not followed', async () => {
    await write(`${path}.partial`, 'a');
    await write(`${path}.journal`, 'b');
    await write(join(folder, 'precious'), 'precious');
    await link(join(folder, 'precious'), `${path}.partial.copy`);
    const files = {
      partial: await open(`${path}.partial`, 'r+'),
      journal: await open(`${path}.journal`, 'a+'),
    };
    const renewed = await renewBoth(path, files);
    expect(await readFile(join(folder, 'precious'), 'utf8')).toBe('precious');
    for (const file of [renewed.partial, renewed.journal]) await file.close();
  });
});
