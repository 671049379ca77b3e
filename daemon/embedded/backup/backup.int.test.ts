import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { chmodSync, chownSync, existsSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { readUrls } from '../../../tests/support/ledger/ledger.ts';
import { startEmbedded, type Embedded } from '../index.ts';
import { isRoot } from '../test-support.ts';
import { createLog } from '../../platform/log.ts';
import { withBackupMode } from './backup-mode.ts';
import { explainBackupError } from './explain.ts';
import { backUp, faultOf, need, openStage, restore, type Stage } from './test-support.ts';
import { queryUrl as query } from '../../../tests/support/postgres/client.ts';

let stage: Stage;
let dataDir: string;
let embedded: Embedded;
let adminUrl: string;

beforeAll(async () => {
  stage = openStage();
  dataDir = stage.place('data');
  embedded = await stage.start(dataDir);
  writeFileSync(path.join(dataDir, 'signing-key.pem'), 'a key', { mode: 0o600 });
  adminUrl = (await readUrls(dataDir)).admin('postgres');
  for (const name of ['wallet', 'statement'] as const) {
    await query(embedded.databases[name].ownerUrl, 'CREATE TABLE counted (n int PRIMARY KEY)');
  }
});
afterAll(() => stage.dispose());

const listAll = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

/** Backup mode has no other trace than its slot. */
const listSlots = () => query(adminUrl, 'SELECT slot_name FROM pg_replication_slots');

/** Commits 1, 2, 3 … to the first database, and each then to the second, until it is stopped. */
function startCounting() {
  const counted = { n: 0 };
  let isStopped = false;
  const count = async (): Promise<void> => {
    for (let n = 1; !isStopped; n += 1) {
      for (const name of ['wallet', 'statement'] as const) {
        await query(embedded.databases[name].ownerUrl, `INSERT INTO counted VALUES (${n})`);
      }
      counted.n = n;
      // So that the backup needs several segments.
      if (n % 5 === 0) await query(adminUrl, 'SELECT pg_switch_wal()');
    }
  };
  const counting = count();
  return {
    counted,
    stop: async () => {
      isStopped = true;
      await counting;
    },
  };
}

const readCounted = async (of: Embedded, name: 'wallet' | 'statement'): Promise<number[]> => {
  const rows = await query<{ n: number }>(
    of.databases[name].ownerUrl,
    'SELECT n FROM counted ORDER BY n',
  );
  return rows.map(({ n }) => n);
};

describe('backup of a running server', () => {
  it('a backup under load has what was committed before it, in all databases alike', async () => {
    const load = startCounting();
    while (load.counted.n < 20) await new Promise((resolve) => setTimeout(resolve, 20));
    const before = load.counted.n;
    const out = stage.place('under-load');
    const made = need(await backUp(dataDir, out));
    await load.stop();
    expect(await listSlots()).toEqual([]);
    const segments = made.manifest.files.filter(({ path: at }) => /pg_wal\/[0-9A-F]{24}$/.test(at));
    expect(segments.length).toBeGreaterThan(1);

    const place = stage.place('restored');
    need(await restore(out, place));
    // Beside the server that was backed up, which uses its own socket.
    const restored = await stage.start(place);
    expect(restored.dataDir).toBe(place);
    const [first, second] = [
      await readCounted(restored, 'wallet'),
      await readCounted(restored, 'statement'),
    ];
    expect(first).toEqual(first.map((_n, i) => i + 1));
    expect(second).toEqual(second.map((_n, i) => i + 1));
    expect(second.length).toBeGreaterThanOrEqual(before);
    // As of one moment: the second follows the first by one commit.
    expect(first.length - second.length).toBeGreaterThanOrEqual(0);
    expect(first.length - second.length).toBeLessThanOrEqual(1);
    expect(readFileSync(path.join(place, 'signing-key.pem'), 'utf8')).toBe('a key');
    await restored.stop();
  });

  it('a backup lists each file with its SHA-256, and only its owner can read it', async () => {
    const out = stage.place('listed');
    const made = need(await backUp(dataDir, out));
    const files = listAll(out).filter((at) => lstatSync(path.join(out, at)).isFile());
    const listed = made.manifest.files.map((file) => file.path);
    expect([...listed, 'manifest.json'].sort()).toEqual(files);
    for (const { path: at, bytes, sha256 } of made.manifest.files) {
      const content = readFileSync(path.join(out, at));
      const digest = createHash('sha256').update(content).digest('hex');
      expect({ at, bytes: content.length, sha256: digest }).toEqual({ at, bytes, sha256 });
    }
    const modes = new Set(
      ['.', ...listAll(out)].map((at) => {
        const stats = lstatSync(path.join(out, at));
        return `${stats.isDirectory() ? 'folder' : 'file'} ${(stats.mode & 0o777).toString(8)}`;
      }),
    );
    expect([...modes].sort()).toEqual(['file 600', 'folder 700']);
    expect(listed).toEqual(expect.arrayContaining(['embedded.json', 'postgres/backup_label']));
    expect(listed.filter((at) => /postmaster|walletd\.lock|postgres\.log/.test(at))).toEqual([]);
    expect(made.bytes).toBe(made.manifest.files.reduce((sum, file) => sum + file.bytes, 0));
  });

  it('two backups at the same time are both complete', async () => {
    const outs = [stage.place('twin-1'), stage.place('twin-2')];
    const made = await Promise.all(outs.map((out) => backUp(dataDir, out)));
    made.forEach(need);
    for (const out of outs) need(await restore(out, stage.place('nowhere'), { isDryRun: true }));
    expect(existsSync(stage.place('nowhere'))).toBe(false);
  });

  it('an interrupted backup leaves no folder, and the server out of backup mode', async () => {
    const out = stage.place('interrupted');
    const controller = new AbortController();
    const stopped = backUp(dataDir, out, {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('interrupted by SIGINT')),
    });
    await expect(stopped).rejects.toThrow('interrupted by SIGINT');
    expect(existsSync(out)).toBe(false);
    await expect.poll(listSlots, { timeout: 30_000 }).toEqual([]);
    need(await backUp(dataDir, out));
  });
});

describe('places that a backup refuses', () => {
  it.each<[string, (out: string) => void, RegExp]>([
    [
      'a folder with content',
      (out) => void mkdirSync(path.join(out, 'x'), { recursive: true }),
      /is not empty: it has "x"/,
    ],
    ['a file', (out) => writeFileSync(out, 'mine'), /is there already/],
    [
      'a link to an empty folder',
      (out) => {
        mkdirSync(`${out}-real`);
        symlinkSync(`${out}-real`, out);
      },
      /is a link/,
    ],
    ['a link to nothing', (out) => symlinkSync(`${out}-absent`, out), /is a link/],
    [
      'a folder that others can write to',
      (out) => {
        mkdirSync(out);
        chmodSync(out, 0o777);
      },
      /Other users can write/,
    ],
  ])('a backup replaces nothing, and follows no link: %s', async (name, prepare, expected) => {
    const out = stage.place(name.replaceAll(' ', '-'));
    prepare(out);
    const before = lstatSync(out);
    expect(faultOf(await backUp(dataDir, out))).toMatch(expected);
    expect(faultOf(await backUp(dataDir, out))).toContain('--out');
    expect(lstatSync(out).mode).toBe(before.mode);
    if (existsSync(`${out}-real`)) expect(readdirSync(`${out}-real`)).toEqual([]);
    expect(existsSync(`${out}-absent`)).toBe(false);
  });

  it('a backup is not written into the data folder, and not below a folder that is absent', async () => {
    expect(faultOf(await backUp(dataDir, path.join(dataDir, 'backup')))).toMatch(
      /data folder itself/,
    );
    const inCluster = path.join(dataDir, 'postgres', 'backup');
    expect(faultOf(await backUp(dataDir, inCluster))).toMatch(/data folder itself/);
    const absent = stage.place('absent/backup');
    expect(faultOf(await backUp(dataDir, absent))).toMatch(/There is no folder .*mkdir -p/s);
    expect(existsSync(stage.place('absent'))).toBe(false);
    expect(await listSlots()).toEqual([]);
  });

  it('an empty folder of the same user is taken, and made private', async () => {
    const out = stage.place('empty');
    mkdirSync(out, { mode: 0o755 });
    need(await backUp(dataDir, out));
    expect(statSync(out).mode & 0o777).toBe(0o700);
  });
});

describe('files that are not backed up', () => {
  it('a link in the cluster is refused, and nothing is left of the backup', async () => {
    const link = path.join(dataDir, 'postgres', 'base', 'link');
    symlinkSync('/etc/passwd', link);
    try {
      const out = stage.place('with-link');
      const fault = faultOf(await backUp(dataDir, out));
      expect(fault).toContain(link);
      expect(existsSync(out)).toBe(false);
    } finally {
      rmSync(link);
    }
    expect(await listSlots()).toEqual([]);
  });

  it.runIf(isRoot)('a file of another user in the cluster is refused', async () => {
    const file = path.join(dataDir, 'postgres', 'base', 'foreign');
    writeFileSync(file, 'secret', { mode: 0o600 });
    try {
      chownSync(file, 0, 0);
      const out = stage.place('with-foreign');
      expect(faultOf(await backUp(dataDir, out))).toContain(`${file} is a link, or belongs`);
      expect(existsSync(out)).toBe(false);
    } finally {
      rmSync(file);
    }
  });
});

it('a backup that hangs is ended before the WAL that it keeps fills the disk', async () => {
  const place = stage.place('hanging');
  const extraSettings = { max_slot_wal_keep_size: '48MB', min_wal_size: '32MB' };
  const log = createLog('silent');
  const other = need(await startEmbedded({ dataDir: place, log, extraSettings }));
  const { socketDir, admin } = await readUrls(place);
  const password = new URL(admin('postgres')).password;
  const url = other.databases.wallet.ownerUrl;
  await query(url, 'CREATE TABLE filler (n int)');
  const { signal } = new AbortController();
  const hanging = withBackupMode({ socketDir, password }, signal, async (mode) => {
    for (let n = 0; n < 8; n += 1) {
      await query(url, 'INSERT INTO filler VALUES (1)');
      await query(admin('postgres'), 'SELECT pg_switch_wal()');
    }
    await query(admin('postgres'), 'CHECKPOINT');
    await mode.stop();
  });
  const failure = await hanging.catch((err: unknown) => err);
  const explained = explainBackupError(failure, 'The backup failed');
  expect(explained?.fault.fault).toMatch(/^The backup failed: Postgres: .*terminat/);
  expect(await query(url, 'SELECT count(*)::int AS n FROM filler')).toEqual([{ n: 8 }]);
  expect(await query(admin('postgres'), 'SELECT 1 FROM pg_replication_slots')).toEqual([]);
  await other.stop();
});

it('a server that is stopped ends a backup with an error, and nothing is left', async () => {
  const place = stage.place('stopped');
  const log = createLog('silent');
  const other = need(await startEmbedded({ dataDir: place, log }));
  let stopping: Promise<void> | undefined;
  const out = stage.place('of-stopped');
  const done = await backUp(place, out, { onProgress: () => void (stopping ??= other.stop()) });
  await stopping;
  // The copy may have been complete before.
  if (!done.ok) expect(faultOf(done)).toMatch(/failed: Postgres|has disappeared/);
  expect(existsSync(out)).toBe(done.ok);
});
