import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { parseConfig } from '../../../daemon/config/config.ts';
import { readSigningKey } from '../../../daemon/config/secrets.ts';
import { findLeftovers, runProcess } from '../../support/processes/process.ts';

// Only root can make a small disk.
const isRoot = process.geteuid?.() === 0;
let folder: string;
const mounts: string[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dw-full-'));
  chmodSync(folder, 0o711);
});
afterEach(() => {
  for (const mount of mounts.splice(0)) execFileSync('umount', [mount]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A disk of this size, mounted. */
function mountDisk(size: string): string {
  const place = join(folder, `disk-${size}`);
  mkdirSync(place, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0711`, 'tmpfs', place]);
  mounts.push(place);
  return place;
}

/** Writes until there is no room. */
function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize));
  expect(statfsSync(disk).bavail).toBe(0);
}

describe.runIf(isRoot)('full disk', () => {
  it.each(['4k', '8k', '64k', '20m', '70m', '100m', '110m'])(
    'a start on a disk of %s reports that it is full, and leaves no temporary file',
    async (size) => {
      const dataDir = join(mountDisk(size), 'data');
      const env = {
        PATH: process.env['PATH'] ?? '',
        LOG_LEVEL: 'warn',
        WALLETD_LISTEN: '127.0.0.1:0',
        WALLETD_METRICS_LISTEN: 'off',
        WALLETD_HTTP_LISTEN: 'off',
        WALLETD_DATA_DIR: dataDir,
      };
      if (size === '4k') fill(join(dataDir, '..'));
      const starting = runProcess(['start'], env);
      expect(await starting.end()).toBe(1);
      expect(starting.said()).toMatch(/^walletd: .*/m);
      expect(starting.said()).toMatch(/hint: .*(disk is full|free some space)/i);
      expect(starting.said()).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
      expect(findLeftovers(dataDir)).toEqual([]);
    },
  );

  it('a signing key that cannot be written to a full disk leaves no temporary file', async () => {
    const disk = mountDisk('32k');
    const parsed = parseConfig({});
    if (!parsed.ok) throw new Error(parsed.faults.join());
    writeFileSync(join(disk, 'signing-key.pem.0123456789ab'), '', { mode: 0o600 });
    fill(disk);
    const key = await readSigningKey(parsed.config, disk);
    expect(key).toMatchObject({ ok: false });
    if (!key.ok) expect(`${key.fault.fault} ${key.fault.hint}`).toMatch(/ENOSPC.*room/);
    expect(readdirSync(disk)).toEqual(['filler']);
    rmSync(join(disk, 'filler'));
    expect(await readSigningKey(parsed.config, disk)).toMatchObject({ ok: true });
    // What is there already is used, whatever the disk has room for.
    fill(disk);
    expect(await readSigningKey(parsed.config, disk)).toMatchObject({ ok: true });
    expect(readdirSync(disk).sort()).toEqual(['filler', 'signing-key.pem']);
  });

  it('the key program for containers reports a full disk, and leaves no temporary file', () => {
    const disk = mountDisk('32k');
    fill(disk);
    const key = join(disk, 'key.pem');
    const program = resolve('docker/create-signing-key.mjs');
    const done = spawnSync(process.execPath, [program, key], { encoding: 'utf8' });
    expect(done.status).toBe(1);
    expect(done.stderr).toMatch(/cannot be made: ENOSPC/);
    expect(done.stderr).toMatch(/^hint: /m);
    expect(done.stderr).not.toMatch(/^\s+at /m);
    expect(readdirSync(disk)).toEqual(['filler']);
    rmSync(join(disk, 'filler'));
    expect(spawnSync(process.execPath, [program, key]).status).toBe(0);
    expect(existsSync(key)).toBe(true);
    expect(readdirSync(disk)).toEqual(['key.pem']);
  });
});
