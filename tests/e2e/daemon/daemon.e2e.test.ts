import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { statSync } from 'node:fs';
import { chmod, mkdir, readFile, readlink, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { runWalletd } from '../../../scripts/product.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { connect, item } from '../../support/grpc/client.ts';
import { createWorld, password, type World } from '../../support/processes/world.ts';

let world: World;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
});

afterAll(() => world.dispose());

const base = () => ({
  PATH: process.env['PATH'] ?? '',
  LOG_LEVEL: 'warn',
  WALLETD_METRICS_LISTEN: 'off',
  WALLETD_HTTP_LISTEN: 'off',
});

describe('failed starts', () => {
  it('a start names every error of the configuration at once, and starts nothing', async () => {
    const unused = { WALLETD_DATA_DIR: join(world.folder, 'unused') };
    const wrong = { WALLETD_LISTEN: 'nowhere', WALLET_CURRENCY: 'XYZ', SIGN_UP: 'maybe' };
    const done = await runWalletd([], { env: { ...base(), ...unused, ...wrong } });
    expect(done.code).toBe(2);
    expect(await readdir(world.folder)).not.toContain('unused');
    for (const name of ['WALLETD_LISTEN', 'WALLET_CURRENCY', 'SIGN_UP']) {
      expect(done.stderr).toContain(name);
    }
  });

  it('a start and config check refuse plaintext beyond loopback', async () => {
    const unused = { WALLETD_DATA_DIR: join(world.folder, 'unused') };
    const env = { ...base(), ...unused, WALLETD_LISTEN: '0.0.0.0:50051' };
    const commands = [[], ['config', 'check']];
    for (const done of await Promise.all(commands.map((args) => runWalletd(args, { env })))) {
      expect(done.code).toBe(2);
      expect(done.stderr).toContain('WALLETD_ALLOW_PLAINTEXT');
    }
    expect(await readdir(world.folder)).not.toContain('unused');
  });

  it('a start names a port that is in use', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.on('listening', resolve));
    const { port } = holder.address() as { port: number };
    const env = {
      ...base(),
      WALLETD_LISTEN: `127.0.0.1:${port}`,
      WALLETD_DATA_DIR: join(world.folder, 'other'),
    };
    const done = await runWalletd([], { env });
    holder.close();
    expect(done.code).toBe(1);
    expect(done.stderr).toContain(`127.0.0.1:${port}`);
    expect(done.stderr).toContain('hint: ');
    expect(await findServers('other')).toEqual([]);
  });

  it('a start names a database that is unavailable', async () => {
    const key = join(world.folder, 'key.pem');
    const { privateKey } = generateKeyPairSync('ed25519');
    await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    const url = 'postgres://user:a-secret-password@127.0.0.1:9/db';
    const env = {
      ...base(),
      AUTH_DATABASE_URL: url,
      WALLET_DATABASE_URL: url,
      STATEMENT_DATABASE_URL: url,
      AUTH_SIGNING_KEY_FILE: key,
    };
    const done = await runWalletd([], { env });
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('the auth database');
    expect(done.stderr).toContain('AUTH_DATABASE_URL');
    expect(done.stderr).not.toContain('a-secret-password');
  });

  it('a start names a folder that is not writable', async () => {
    const file = join(world.folder, 'a-file');
    await writeFile(file, '');
    const env = { ...base(), WALLETD_LISTEN: '127.0.0.1:0', WALLETD_DATA_DIR: join(file, 'data') };
    const done = await runWalletd([], { env });
    expect(done.code).toBe(1);
    expect(done.stderr).toContain(join(file, 'data'));
  });

  it('a start with a data folder in use is refused, and names the process', async () => {
    const done = await world.walletd([]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain(`pid ${world.daemon().pid}`);
  });
});

describe('a running daemon', () => {
  it('the embedded Postgres has no TCP port, and its socket is closed to others', async () => {
    const [pid] = await findServers('data');
    const sockets = await socketsOf(pid ?? 0);
    const unix = (await readFile('/proc/net/unix', 'utf8')).split('\n');
    const paths = unix
      .map((line) => line.trim().split(/\s+/))
      .flatMap(([, , , , , , inode = '', path]) => (sockets.includes(inode) && path ? [path] : []));
    expect(paths).toHaveLength(1);
    expect(statSync(dirname(paths[0]!)).mode & 0o777).toBe(0o700);
    const tcp =
      (await readFile('/proc/net/tcp', 'utf8')) + (await readFile('/proc/net/tcp6', 'utf8'));
    const listening = tcp.split('\n').filter((line) => line.trim().split(/\s+/)[3] === '0A');
    expect(listening.filter((line) => sockets.includes(line.trim().split(/\s+/)[9] ?? ''))).toEqual(
      [],
    );
  });

  it('keys and passwords in the data folder are readable by the daemon’s user only', () => {
    const listing = execFileSync('find', [world.dataDir, '-maxdepth', '1', '-type', 'f']);
    const files = listing.toString().split('\n').filter(Boolean);
    const secrets = files.map((file) => basename(file)).filter((name) => /json|pem|key/.test(name));
    expect(secrets.sort()).toEqual(['checkpoint-key.pem', 'embedded.json', 'signing-key.pem']);
    expect(files.filter((file) => (statSync(file).mode & 0o077) !== 0)).toEqual([]);
  });

  it('SIGTERM ends the daemon with 0 after calls in flight, and stops Postgres', async () => {
    const daemon = world.daemon();
    const calls = await beginDeposits(daemon.address, 'drain@example.com');
    const code = await world.stop();
    expect(code).toBe(0);
    expect(await calls.countDone()).toBe(100);
    expect(await findServers('data')).toEqual([]);
    // Connections that end with their server are no news during a stop.
    expect(daemon.log()).not.toContain('"level":"warn"');
    await world.start();
  });

  it('Ctrl-C, which reaches the whole process group, drains the daemon too', async () => {
    await world.stop();
    const walletd = join(import.meta.dirname, '../../../dist/daemon/main.js');
    const child = spawn(process.execPath, [walletd], {
      detached: true,
      env: { ...base(), WALLETD_LISTEN: '127.0.0.1:0', WALLETD_DATA_DIR: world.dataDir },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    const address = await new Promise<string>((resolve) =>
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        const ready = /ready.* (127\.0\.0\.1:\d+)/.exec(said);
        if (ready) resolve(ready[1]!);
      }),
    );
    const calls = await beginDeposits(address, 'ctrl-c@example.com');
    process.kill(-(child.pid ?? 0), 'SIGINT');
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, said }).toMatchObject({ code: 0 });
    expect(await calls.countDone()).toBe(100);
    expect(said).not.toMatch(/embedded Postgres \(pid \d+\) ended/);
    await world.start();
  });

  it('the daemon starts with an empty environment and without standard input', async () => {
    const home = join(world.folder, 'empty');
    await mkdir(home);
    await chmod(home, 0o755);
    // Through a shell's `env -i`: nothing at all is set, not even PATH.
    const walletd = join(import.meta.dirname, '../../../dist/daemon/main.js');
    const flags = ['--data-dir', join(home, 'data'), '--listen', '127.0.0.1:0'];
    flags.push('--metrics-listen', 'off');
    const child = spawn('/usr/bin/env', ['-i', process.execPath, walletd, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {},
    });
    let said = '';
    let isAsked = false;
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (!isAsked && said.includes('walletd ready')) isAsked = child.kill('SIGTERM');
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, said }).toMatchObject({ code: 0 });
    expect(said).toContain('walletd ready');
  });
});

/** A hundred deposits that are in flight once one more is answered, by a new customer. */
async function beginDeposits(address: string, email: string) {
  const client = connect(address);
  await client.call(AuthServiceService.signUp, { email, password });
  const secrets = { password, client: '', deviceToken: '' };
  const signedIn = await client.call(AuthServiceService.signIn, { email, ...secrets });
  const token = signedIn.ok ? (signedIn.value.tokens?.accessToken ?? '') : '';
  const deposit = () =>
    client.call(
      WalletServiceService.createTransaction,
      { item: item({ operation: Operation.DEPOSIT, amountMinor: 1n }), dryRun: false },
      token,
    );
  const inFlight = Promise.all(Array.from({ length: 100 }, deposit));
  await deposit();
  return {
    countDone: async (): Promise<number> => {
      const answers = await inFlight;
      client.close();
      return answers.filter((answer) => answer.ok).length;
    },
  };
}

/** Postmasters that work on a folder of this world. */
async function findServers(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const cmdline = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    const path = join(world.folder, folder, 'postgres');
    if (cmdline.includes(path) && /postgres\0/.test(cmdline)) found.push(Number(name));
  }
  return found;
}

async function socketsOf(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(
    names.map((n) => readlink(`/proc/${pid}/fd/${n}`).catch(() => '')),
  );
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}
