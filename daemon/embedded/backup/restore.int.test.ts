import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { rmSync, statSync, statfsSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { isRoot } from '../test-support.ts';
import type { Manifest } from './manifest.ts';
import { backUp, faultOf, need, openStage, restore, type Stage } from './test-support.ts';

let stage: Stage;
let dataDir: string;
let original: string;
let count = 0;

beforeAll(async () => {
  stage = openStage();
  dataDir = stage.place('data');
  await stage.start(dataDir);
  original = stage.place('original');
  need(await backUp(dataDir, original));
});
afterAll(() => stage.dispose());

/** A copy of the backup that a test may damage. */
function copyBackup(): string {
  count += 1;
  const copy = stage.place(`copy-${count}`);
  cpSync(original, copy, { recursive: true, preserveTimestamps: true });
  return copy;
}

const freshPlace = (): string => stage.place(`place-${count}`);

/** Flips one bit in the middle of a file, whose length stays the same. */
function alterByte(file: string): void {
  const content = readFileSync(file);
  const at = Math.floor(content.length / 2);
  content[at] = (content[at] ?? 0) ^ 1;
  writeFileSync(file, content);
}

/** Writes another manifest with a valid checksum. */
function reseal(folder: string, change: Partial<Record<keyof Manifest, unknown>>): void {
  const file = path.join(folder, 'manifest.json');
  const { manifest } = JSON.parse(readFileSync(file, 'utf8')) as { manifest: Manifest };
  const changed = { ...manifest, ...change };
  const sha256 = createHash('sha256').update(JSON.stringify(changed)).digest('hex');
  writeFileSync(file, JSON.stringify({ manifest: changed, sha256 }));
}

const somePage = 'postgres/global/1262';

describe('backups that a restore refuses', () => {
  it.each<[string, (backup: string) => void, RegExp]>([
    [
      'a missing file',
      (b) => rmSync(path.join(b, somePage)),
      /"postgres\/global\/1262" is missing/,
    ],
    [
      'an altered byte',
      (b) => alterByte(path.join(b, somePage)),
      /"postgres\/global\/1262" has been changed/,
    ],
    [
      'an altered password',
      (b) => alterByte(path.join(b, 'embedded.json')),
      /"embedded.json" has been changed/,
    ],
    [
      'a shorter file',
      (b) => truncateSync(path.join(b, somePage), 100),
      /"postgres\/global\/1262" has been changed/,
    ],
    [
      'an additional file',
      (b) => writeFileSync(path.join(b, 'postgres/base/extra'), ''),
      /"postgres\/base\/extra" is not a part of it/,
    ],
    [
      'an additional folder',
      (b) => mkdirSync(path.join(b, 'postgres/pg_tblspc/x')),
      /"postgres\/pg_tblspc\/x" is not a part of it/,
    ],
    [
      'a link',
      (b) => {
        rmSync(path.join(b, somePage));
        symlinkSync('/etc/passwd', path.join(b, somePage));
      },
      /"postgres\/global\/1262" is neither a file nor a folder/,
    ],
    ['no manifest', (b) => rmSync(path.join(b, 'manifest.json')), /is no complete backup/],
    [
      'an altered manifest',
      (b) => alterByte(path.join(b, 'manifest.json')),
      /manifest\.json has been changed/,
    ],
    [
      'an empty manifest',
      (b) => truncateSync(path.join(b, 'manifest.json'), 0),
      /manifest\.json has been changed/,
    ],
    ['a newer format', (b) => reseal(b, { format: 2 }), /a format that this walletd does not know/],
    [
      'a path that leads out',
      (b) => reseal(b, { folders: ['postgres', '../x'] }),
      /a format that this walletd does not know/,
    ],
    [
      'another major version',
      (b) => reseal(b, { majorVersion: 17 }),
      /is of Postgres 17.*walletd 1\.2\.3/s,
    ],
    ['another platform', (b) => reseal(b, { platform: 'sunos-sparc' }), /made on sunos-sparc/],
  ])('a restore refuses a backup with %s, and writes nothing', async (_name, damage, expected) => {
    const backup = copyBackup();
    damage(backup);
    const place = freshPlace();
    expect(faultOf(await restore(backup, place))).toMatch(expected);
    expect(existsSync(place)).toBe(false);
    expect(faultOf(await restore(backup, place, { isDryRun: true }))).toMatch(expected);
  });

  it('a backup that does not exist, and a file in its place, are refused', async () => {
    const place = stage.place('of-nothing');
    expect(faultOf(await restore(stage.place('absent'), place))).toMatch(
      /There is no backup .*absent/,
    );
    const file = stage.place('file');
    writeFileSync(file, '');
    expect(faultOf(await restore(file, place))).toMatch(/is not a folder/);
    expect(existsSync(place)).toBe(false);
  });
});

describe('places that a restore refuses', () => {
  it('a restore replaces nothing: a data folder with content is refused by name', async () => {
    const before = readdirSync(dataDir).sort();
    const fault = faultOf(await restore(original, dataDir));
    expect(fault).toMatch(/is not empty: it has ".*A restore replaces nothing/s);
    expect(fault).toContain(`mv ${dataDir} ${dataDir}.old`);
    expect(readdirSync(dataDir).sort()).toEqual(before);
    const other = stage.place('with-notes');
    mkdirSync(other);
    writeFileSync(path.join(other, 'notes.txt'), 'mine');
    expect(faultOf(await restore(original, other))).toMatch(/it has "notes\.txt"/);
    expect(readdirSync(other)).toEqual(['notes.txt']);
  });

  it('what a killed restore has left is used by no start, and by no other restore', async () => {
    const place = stage.place('again');
    const left = path.join(place, 'restore.tmp-0a1b2c3d');
    mkdirSync(path.join(left, 'postgres'), { recursive: true });
    const refused = /is not empty, and walletd did not create.*restore\.tmp-0a1b2c3d/;
    await expect(stage.start(place)).rejects.toThrow(refused);
    expect(faultOf(await restore(original, place))).toMatch(/it has "restore\.tmp-0a1b2c3d"/);
    rmSync(left, { recursive: true });
    need(await restore(original, place));
    expect(readdirSync(place).sort()).toEqual(['embedded.json', 'postgres']);
    const restored = await stage.start(place);
    await restored.stop();
  });
});

describe('restored data folders', () => {
  it('an interrupted restore leaves no data folder, and can be run again', async () => {
    const place = stage.place('interrupted');
    const controller = new AbortController();
    const stopped = restore(original, place, {
      signal: controller.signal,
      onCopy: () => controller.abort(new Error('interrupted by SIGTERM')),
    });
    await expect(stopped).rejects.toThrow('interrupted by SIGTERM');
    expect(existsSync(place)).toBe(false);
    need(await restore(original, place));
    expect(existsSync(path.join(place, 'embedded.json'))).toBe(true);
  });

  it('a restored data folder belongs to the users that a new one belongs to', async () => {
    const place = stage.place('owners');
    need(await restore(original, place));
    for (const at of ['.', 'embedded.json', 'postgres', 'postgres/global/pg_control']) {
      const [made, now] = [dataDir, place].map((root) => statSync(path.join(root, at)));
      expect([at, now?.uid, (now?.mode ?? 0) & 0o777]).toEqual([
        at,
        made?.uid,
        (made?.mode ?? 0) & 0o777,
      ]);
    }
  });

  it('folders without files, which some copies of a backup lack, are made again', async () => {
    const backup = copyBackup();
    rmSync(path.join(backup, 'postgres/pg_notify'), { recursive: true });
    const place = stage.place('without-empty');
    need(await restore(backup, place));
    const restored = await stage.start(place);
    await restored.stop();
  });

  it('a restore reports a backup that other users can read', async () => {
    const backup = copyBackup();
    const place = stage.place('open');
    const dry = { isDryRun: true };
    expect(need(await restore(backup, place, dry))).toMatchObject({ isOpenToOthers: false });
    chmodSync(backup, 0o755);
    expect(need(await restore(backup, place, dry))).toMatchObject({ isOpenToOthers: true });
  });
});

// Only root can make a small disk.
describe.runIf(isRoot)('full disk', () => {
  const mounts: string[] = [];
  afterEach(() => {
    for (const mount of mounts.splice(0)) execFileSync('umount', [mount]);
  });
  const mountDisk = (name: string, size: string): string => {
    const place = stage.place(name);
    mkdirSync(place);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0711`, 'tmpfs', place]);
    mounts.push(place);
    return place;
  };

  it.each(['16k', '4m', '24m'])(
    'a backup to a disk of %s reports that it is full, and leaves nothing',
    async (size) => {
      const disk = mountDisk(`backup-${size}`, size);
      const fault = faultOf(await backUp(dataDir, path.join(disk, 'backup')));
      expect(fault).toMatch(/ENOSPC.*The disk is full/s);
      expect(readdirSync(disk)).toEqual([]);
      const { bavail, blocks } = statfsSync(disk);
      expect(bavail).toBe(blocks);
    },
  );

  it.each(['16k', '4m', '24m'])(
    'a restore to a disk of %s reports that it is full, and leaves nothing',
    async (size) => {
      const disk = mountDisk(`restore-${size}`, size);
      const fault = faultOf(await restore(original, path.join(disk, 'data')));
      expect(fault).toMatch(/ENOSPC.*The disk is full/s);
      expect(readdirSync(disk)).toEqual([]);
    },
  );
});
