import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { findFaults, queryService, readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import { expectExplained } from '../../support/processes/explained.ts';
import { endServer, findLeftovers, runProcess } from '../../support/processes/process.ts';
import { createWorld, expectCode, type World } from '../../support/processes/world.ts';
import { deposit, startLoad, type Deposit, type Load } from './load.ts';
import { queryUrl } from '../../support/postgres/client.ts';

const isRoot = process.geteuid?.() === 0;
let world: World;
let load: Load;
let place: string;

beforeAll(async () => {
  world = await createWorld();
  // Root gives its rights up in tests as in production; backups are of root then, too.
  await world.start();
  place = join(world.folder, 'backups');
  mkdirSync(place, { mode: 0o700 });
  load = await startLoad(world.daemon().address, 8);
  await waitUntil('the load is under way', () => Promise.resolve(load.answered.length > 200));
});
afterAll(async () => {
  await load.stop();
  await world.dispose();
});

const backUp = (name: string) => world.walletd(['backup', '--out', join(place, name), '--json']);

type Slot = { slot_name: string };

async function listSlots(): Promise<Slot[]> {
  const { admin } = await readUrls(world.dataDir);
  return queryUrl<Slot>(admin('postgres'), 'SELECT slot_name FROM pg_replication_slots');
}

async function readIds(dataDir: string): Promise<Set<string>> {
  const rows = await queryService<{ id: string }>(dataDir, 'wallet', 'SELECT id FROM transactions');
  return new Set(rows.map(({ id }) => id));
}

/** Statement lines follow the ledger by a moment. */
const untilFaultless = (dataDir: string) =>
  waitUntil('ledger and lines agree', async () => (await findFaults(dataDir)).length === 0);

describe('backup under load', () => {
  it('what was answered before a backup is in it; the rest is done once by a retry', async () => {
    const before = [...load.answered];
    const done = await backUp('today');
    expectCode(done, 0);
    const out = join(place, 'today');
    const result = JSON.parse(done.stdout) as Record<string, unknown>;
    expect(result).toMatchObject({ folder: out, files: expect.any(Number) as number });
    expect(done.stderr).toMatch(/^walletd: backed up \d+ files, [\d.]+ MB, to .* in [\d.]+ s: /m);
    await waitUntil('deposits after it', () =>
      Promise.resolve(load.answered.length > before.length + 100),
    );

    const dataDir = join(world.folder, 'restored', 'data');
    mkdirSync(join(dataDir, '..'), { mode: 0o711 });
    const restored = await world.walletd(['restore', '--from', out, '--data-dir', dataDir]);
    expectCode(restored, 0);
    expect(restored.stderr).toContain(`walletd verify --data-dir ${dataDir}`);
    expect(findLeftovers(dataDir)).toEqual([]);
    // The next step that it names, without a daemon.
    const verified = await world.walletd(['verify', '--data-dir', dataDir]);
    expectCode(verified, 0);
    expect(verified.stderr).toMatch(/ [1-9]\d* transactions of \d+ wallets checked, 0 findings/);
    expect(findLeftovers(dataDir)).toEqual([]);
    await load.stop();
    expect(load.refused).toEqual([]);
    expect(await world.stop()).toBe(0);

    const daemon = await world.start({ WALLETD_DATA_DIR: dataDir });
    const ids = await readIds(dataDir);
    expect(before.filter(({ id }) => !ids.has(id))).toEqual([]);
    await untilFaultless(dataDir);
    const lost = load.answered.filter(({ id }) => !ids.has(id));
    expect(lost.length).toBeGreaterThan(0);
    // Access tokens of before the backup are valid, since its signing key is too.
    const retried = async (one: Deposit) => [one.id, await deposit(daemon.address, one)] as const;
    const samples = [...before.slice(-20), ...lost.slice(0, 20)];
    for (const [id, answer] of await Promise.all(samples.map(retried))) {
      expect(answer).toMatchObject({ id, replayed: ids.has(id) });
    }
    await untilFaultless(dataDir);
    expect(await world.stop()).toBe(0);
    await world.start();
    load = await startLoad(world.daemon().address, 4, 'later');
  });

  it('a killed backup is refused by a restore, and the server leaves backup mode', async () => {
    const out = join(place, 'killed');
    const env = { PATH: process.env['PATH'] ?? '', WALLETD_DATA_DIR: world.dataDir };
    const running = runProcess(['backup', '--out', out], env);
    await waitUntil('files are copied', () => Promise.resolve(existsSync(join(out, 'postgres'))));
    expect((await listSlots()).length).toBe(1);
    running.child.kill('SIGKILL');
    expect(await running.end()).toBe('SIGKILL');
    await waitUntil('no slot is left', async () => (await listSlots()).length === 0);
    const dataDir = join(world.folder, 'of-killed');
    const refused = await world.walletd(['restore', '--from', out, '--data-dir', dataDir]);
    expectExplained(refused, 1, /is no complete backup: it has no manifest\.json/);
    expect(existsSync(dataDir)).toBe(false);
    // Another place is free, and the same is not.
    expectExplained(await backUp('killed'), 1, /is not empty: it has/);
    expectCode(await backUp('after-kill'), 0);
    const count = load.answered.length;
    await waitUntil('deposits go on', () => Promise.resolve(load.answered.length > count));
    expect(load.refused).toEqual([]);
  });

  it('Ctrl-C ends a backup with 130 and leaves nothing; SIGTERM likewise', async () => {
    const env = { PATH: process.env['PATH'] ?? '', WALLETD_DATA_DIR: world.dataDir };
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const out = join(place, signal);
      const running = runProcess(['backup', '--out', out], env);
      await waitUntil('files are copied', () => Promise.resolve(existsSync(join(out, 'postgres'))));
      running.child.kill(signal);
      expect(await running.end()).toBe(code);
      expect(running.said()).toContain('what was not finished was undone');
      expect(existsSync(out)).toBe(false);
    }
    await waitUntil('no slot is left', async () => (await listSlots()).length === 0);
  });
});

describe('backup and restore on the host', () => {
  it('a backup of a stopped daemon starts Postgres for itself, and stops it', async () => {
    await load.stop();
    expect(await world.stop()).toBe(0);
    const done = await backUp('stopped');
    expectCode(done, 0);
    expect(findLeftovers(world.dataDir)).toEqual([]);
    const checked = await world.walletd([
      ...['restore', '--from', join(place, 'stopped'), '--dry-run', '--json'],
      ...['--data-dir', join(world.folder, 'unused')],
    ]);
    expectCode(checked, 0);
    expect(JSON.parse(checked.stdout)).toMatchObject({ isDryRun: true });
    expect(existsSync(join(world.folder, 'unused'))).toBe(false);
    await world.start();
  });

  it('a backup with an altered byte is refused, and names the file', async () => {
    const file = join(place, 'stopped', 'postgres', 'global', '1262');
    const content = readFileSync(file);
    const altered = Buffer.from(content);
    altered[100] = (altered[100] ?? 0) ^ 1;
    writeFileSync(file, altered);
    const dataDir = join(world.folder, 'of-altered');
    const args = ['restore', '--from', join(place, 'stopped'), '--data-dir', dataDir];
    const refused = await world.walletd(args);
    expectExplained(refused, 1, /"postgres\/global\/1262" has been changed/);
    expect(existsSync(dataDir)).toBe(false);
    writeFileSync(file, content);
    expectExplained(
      await world.walletd(['restore', '--from', join(place, 'stopped')]),
      1,
      /The data folder .* is not empty: it has/,
    );
  });

  it('databases of one’s own are refused, with the way to back them up', async () => {
    const own = ['--wallet-database-url', 'postgres://w@127.0.0.1/wallet'];
    const out = join(place, 'own');
    for (const words of [
      ['backup', '--out', out],
      ['restore', '--from', join(place, 'stopped')],
    ]) {
      const refused = await world.walletd([...words, ...own, '--services', 'wallet']);
      expectExplained(refused, 1, /databases of your own, and `walletd (backup|restore)` is for/);
      expect(refused.stderr).toMatch(/^hint: use pg_basebackup \(docs\/operations\.md/m);
    }
    expect(existsSync(out)).toBe(false);
  });

  it.runIf(isRoot)(
    'the data folder of another user is neither backed up nor restored',
    async () => {
      const dataDir = join(world.folder, 'of-another');
      mkdirSync(dataDir);
      chownSync(dataDir, 65_534, 65_534);
      const out = join(place, 'another');
      for (const words of [
        ['backup', '--out', out],
        ['restore', '--from', join(place, 'stopped')],
      ]) {
        const refused = await world.walletd([...words, '--data-dir', dataDir]);
        expectExplained(refused, 1, /belongs to the user with id 65534, but walletd runs as/);
      }
      expect(existsSync(out)).toBe(false);
      expect(readdirSync(dataDir)).toEqual([]);
    },
  );
});

afterAll(async () => {
  await endServer(join(world.folder, 'restored', 'data'));
});
