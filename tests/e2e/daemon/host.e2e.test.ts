import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, chownSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { startEmbedded } from '../../../daemon/embedded/index.ts';
import { createLog } from '../../../daemon/platform/log.ts';
import {
  runWalletd,
  startWalletd,
  type Daemon,
  type Environment,
} from '../../../scripts/product.ts';
import {
  createClosedCheckout,
  type ClosedCheckout,
} from '../../support/processes/closed-checkout.ts';
import { createWorld, expectCode, type Person, type World } from '../../support/processes/world.ts';

const isRoot = process.geteuid?.() === 0;
let world: World;
let checkout: ClosedCheckout;

beforeAll(async () => {
  world = await createWorld();
  checkout = createClosedCheckout();
});
afterAll(async () => {
  await world.dispose();
  checkout.remove();
});

/** The four ids of each kind, and the groups, as the kernel has them. */
function idsOf(pid: number): Record<'uid' | 'gid' | 'groups', string[]> {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name: string): string[] =>
    (new RegExp(`^${name}:(.*)$`, 'm').exec(status)?.[1] ?? '').trim().split(/\s+/);
  return { uid: read('Uid'), gid: read('Gid'), groups: read('Groups') };
}

const canConnect = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

const path = (name: string): string => join(world.folder, name);
const base = (): Environment => ({
  PATH: process.env['PATH'] ?? '',
  LOG_LEVEL: 'warn',
  WALLETD_METRICS_LISTEN: 'off',
  WALLETD_HTTP_LISTEN: 'off',
  WALLETD_LISTEN: '127.0.0.1:0',
});

describe('a daemon started by root, from a folder closed to others', () => {
  let daemon: Daemon;
  let ana: Person;

  const spend = async (): Promise<void> => {
    await ana.json(['deposit', '20.00', '--yes']);
    await ana.json(['withdraw', '5.00', '--yes']);
    // After a kill -9 the lines wait until the lease of the killed daemon has run out.
    await vi.waitFor(async () => expectCode(await ana.run(['statement', 'show']), 0), 30_000);
  };

  it('a daemon that root started runs as an unprivileged user, with all functions', async () => {
    daemon = await world.start({}, checkout.walletd);
    const { uid, gid, groups } = idsOf(daemon.pid);
    if (isRoot) {
      expect([...uid, ...gid, ...groups]).not.toContain('0');
      expect(readFileSync(`/proc/${daemon.pid}/status`, 'utf8')).toMatch(/^CapEff:\s*0+$/m);
    } else {
      expect(new Set(uid)).toEqual(new Set([String(process.getuid?.())]));
    }
    ana = await world.customer('ana');
    await spend();
    const args = ['--from', '2020-01-01', '--to', '2030-01-01', '--file', path('all.csv')];
    expectCode(await ana.run(['statement', 'export', ...args, '--timezone', 'UTC']), 0);
    expect(readFileSync(path('all.csv'), 'utf8').trimEnd().split('\r\n')).toHaveLength(3);
  });

  it('commands on the host work beside a daemon that root started', async () => {
    const admin = await world.staff('admin', 'admin');
    expectCode(await admin.run(['users', 'list', '--json']), 0);
    const rebuilt = await world.walletd(['statements', 'rebuild']);
    expectCode(rebuilt, 0);
    expectCode(await world.walletd(['migrate']), 0);
  });

  it('a daemon that root started stops Postgres, and adopts one that was left', async () => {
    expect(await world.stop()).toBe(0);
    await world.start({}, checkout.walletd);
    await spend();
    await world.kill();
    await world.start({}, checkout.walletd);
    await spend();
    expect(await world.stop()).toBe(0);
  });

  it('WALLETD_USER=root keeps the daemon root, and an unknown user is refused', async () => {
    const refused = await world.walletd(['--user', 'no-such-user', 'start']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('WALLETD_USER');
    if (!isRoot) return;
    daemon = await world.start({ WALLETD_USER: 'root' });
    expect(idsOf(daemon.pid).uid).toEqual(['0', '0', '0', '0']);
    expect(daemon.log()).toContain('runs as root (WALLETD_USER=root)');
    expect(await world.stop()).toBe(0);
  });
});

describe('SIGUSR1', () => {
  it('SIGUSR1 opens no debugger in the daemon, which keeps running', async () => {
    const daemon = await world.start();
    process.kill(daemon.pid, 'SIGUSR1');
    await sleep(1_000);
    expect(daemon.log()).not.toContain('Debugger listening');
    expect(await canConnect(9229)).toBe(false);
    expect((await world.walletd(['migrate'])).code).toBe(0);
    expect(await world.stop()).toBe(0);
  });

  it('SIGUSR1 opens no debugger in the command line', async () => {
    const args = ['dist/cli/main.js', 'sign-in', '--email', 'ana@example.com', '--password-stdin'];
    const child = spawn(process.execPath, args, { env: await world.homeOf('x'), stdio: 'pipe' });
    const said: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
    const ended = new Promise<[number | null, string | null]>((resolve) =>
      child.on('close', (code, signal) => resolve([code, signal])),
    );
    await sleep(2_000);
    child.kill('SIGUSR1');
    await sleep(1_000);
    expect(await canConnect(9229)).toBe(false);
    child.stdin.end('a long enough passphrase');
    const [code, signal] = await ended;
    expect([typeof code, signal]).toEqual(['number', null]);
    expect(Buffer.concat(said).toString()).not.toContain('Debugger listening');
  });
});

describe('secret files', () => {
  const names = [
    'AUTH_SIGNING_KEY_FILE',
    'AUTH_PREVIOUS_KEY_FILE',
    'WALLETD_SERVICE_CREDENTIAL_FILE',
  ];

  it.each(names)(
    '%s that others can read keeps the daemon from starting, with the remedy',
    async (name) => {
      const file = path(name);
      const { privateKey } = generateKeyPairSync('ed25519');
      const secret =
        name === 'WALLETD_SERVICE_CREDENTIAL_FILE'
          ? 'x'.repeat(40)
          : privateKey.export({ type: 'pkcs8', format: 'pem' });
      writeFileSync(file, secret);
      const setting = `--${name.toLowerCase().replace('walletd_', '').replaceAll('_', '-')}`;
      for (const mode of [0o644, 0o640, 0o604]) {
        chmodSync(file, mode);
        const done = await world.walletd([setting, file, 'start']);
        expect([mode, done.code]).toEqual([mode, 1]);
        expect(done.stderr).toContain(name);
        expect(done.stderr).toContain(`chmod 600 ${file}`);
      }
      if (isRoot) {
        chmodSync(file, 0o600);
        chownSync(file, 12_345, 0);
        const done = await world.walletd([setting, file, 'start']);
        expect([done.code, done.stderr.includes('chown')]).toEqual([1, true]);
      }
    },
  );
});

describe('external databases', () => {
  it('external databases are migrated separately, or the daemon logs a warning', async () => {
    const dataDir = path('own/data');
    const server = await startEmbedded({ dataDir, log: createLog('warn') });
    if (!server.ok) throw new Error(server.fault.fault);
    try {
      const urls: Record<string, string> = {};
      const owners: Record<string, string> = {};
      for (const [name, { runtimeUrl, ownerUrl }] of Object.entries(server.value.databases)) {
        urls[`${name.toUpperCase()}_DATABASE_URL`] = runtimeUrl;
        owners[`${name.toUpperCase()}_MIGRATION_DATABASE_URL`] = ownerUrl;
      }
      const key = path('own-key.pem');
      const { privateKey } = generateKeyPairSync('ed25519');
      writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      const env = { ...base(), ...urls, AUTH_SIGNING_KEY_FILE: key };

      const early = await runWalletd(['start'], { env });
      expect([early.code, early.stderr.includes('walletd migrate')]).toEqual([1, true]);
      // It needs the databases, and no other setting.
      expectCode(await runWalletd(['migrate'], { env: { ...base(), ...urls, ...owners } }), 0);
      const daemon = await startWalletd(env);
      expect(daemon.log()).not.toContain('MIGRATION_DATABASE_URL');
      expect(readFileSync(`/proc/${daemon.pid}/environ`, 'utf8')).not.toContain('_owner');
      daemon.kill('SIGTERM');
      expect(await daemon.exited).toBe(0);

      const warned = await startWalletd({ ...env, ...owners });
      expect(warned.log()).toMatch(/AUTH_MIGRATION_DATABASE_URL.*`walletd migrate`/);
      expect(warned.log()).not.toContain(owners['AUTH_MIGRATION_DATABASE_URL']);
      warned.kill('SIGTERM');
      expect(await warned.exited).toBe(0);
    } finally {
      await server.value.stop();
    }
  });
});

describe('batch results', () => {
  it('batch results follow no link, and replace no file without --overwrite', async () => {
    await world.start();
    const operator = await world.staff('operator', 'operator');
    const file = path('rows.csv');
    const { id } = await world.customer('bia');
    writeFileSync(file, `operation,amount,user\ndeposit,1.00,${id}\n`);
    const results = path('precious.csv');
    const args = ['batch', 'run', file, '--batch-id', 'b', '--results', results, '--yes'];
    const run = async (...more: string[]) => (await operator.run([...args, ...more])).code;

    writeFileSync(results, 'my figures of ten years\n');
    expect(await run()).toBe(2);
    expect(readFileSync(results, 'utf8')).toBe('my figures of ten years\n');
    writeFileSync(path('target'), 'precious');
    symlinkSync(path('target'), `${results}.partial`);
    expect(await run('--overwrite')).toBe(2);
    expect(readFileSync(path('target'), 'utf8')).toBe('precious');
    expect(await operator.json(['balance', '--user', id])).toMatchObject({ balance: '0.00' });
  });
});
