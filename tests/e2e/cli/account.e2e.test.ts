import { execFileSync } from 'node:child_process';
import { chmod, chown, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { statfsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { run, runWallet, type Environment, type Finished } from '../../../scripts/product.ts';
import { findFreePort } from '../../support/free-port.ts';
import { startHoldingProxy, type HoldingProxy } from '../../support/processes/holding-proxy.ts';
import {
  createWorld,
  expectCode,
  password,
  signInAs,
  type Person,
  type World,
} from '../../support/processes/world.ts';

type Failure = { error: { reason: string; message: string; hint?: string } };
type Whoami = { user: { email: string } };

let world: World;
let ana: Person;
let bia: Person;
let proxy: HoldingProxy;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  [ana, bia] = await Promise.all([world.customer('ana'), world.customer('bia')]);
  await ana.json(['deposit', '10.00', '--yes']);
  proxy = await startHoldingProxy(world.daemon().address);
});
afterAll(async () => {
  await proxy.stop();
  await world.dispose();
});

const failureOf = ({ stderr }: Finished): Failure['error'] =>
  (JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as Failure).error;

/** Makes the stored access tokens below a folder look as if they had ended. */
async function expireStored(folder: string): Promise<void> {
  let count = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.parentPath.endsWith('/credentials')) continue;
    const file = join(entry.parentPath, entry.name);
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text.replace(/"accessTokenExpiresAtMs":\d+/, '"accessTokenExpiresAtMs":1'),
    );
    count += 1;
  }
  expect(count).toBe(1);
}

describe('two processes', () => {
  /** A home where ana is signed in, whose next command is in the middle of a refresh. */
  async function startRefresh(name: string) {
    const home = await world.homeOf(name);
    const env = { ...home, WALLET_SERVER: proxy.address };
    await signInAs(ana.email, env, () => ({}));
    await expireStored(home['HOME'] ?? '');
    const { isHeld, release } = proxy.holdNext();
    const reading = runWallet(['balance', '--json', '--quiet'], { env });
    await isHeld;
    return { env, reading, release };
  }

  it('a sign-in is not undone by a slow refresh of the earlier account', async () => {
    const { env, reading, release } = await startRefresh('slow-refresh');
    const args = ['sign-in', '--email', bia.email, '--password-stdin', '--insecure-storage'];
    const signingIn = runWallet([...args, '--json'], { env, input: password });
    // Either it waits for the refresh, or it is done by then.
    await Promise.race([signingIn, sleep(2_000)]);
    release();
    expectCode(await reading, 0);
    expectCode(await signingIn, 0);
    const who = await runWallet(['whoami', '--json', '--quiet'], { env });
    expect((JSON.parse(who.stdout) as Whoami).user.email).toBe(bia.email);
  });

  it('a sign-out is not undone by a slow refresh', async () => {
    const { env, reading, release } = await startRefresh('slow-sign-out');
    const signingOut = runWallet(['sign-out', '--json'], { env });
    await Promise.race([signingOut, sleep(2_000)]);
    release();
    await reading;
    expectCode(await signingOut, 0);
    const after = await runWallet(['balance', '--json'], { env });
    expect(after.code).toBe(4);
    expect(failureOf(after).message).toContain('not signed in');
  });
});

// Only root can make a small disk, and run a command as another user.
describe.runIf(process.geteuid?.() === 0)('full disk', () => {
  let disk: string;
  beforeAll(async () => {
    disk = join(world.folder, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'tmpfs', disk]);
  });
  afterAll(() => {
    execFileSync('umount', [disk]);
  });

  const fill = async (): Promise<void> => {
    const { bavail, bsize } = statfsSync(disk);
    await writeFile(join(disk, 'filler'), Buffer.alloc(bavail * bsize));
    expect(statfsSync(disk).bavail).toBe(0);
  };

  it.each(['WALLET_CONFIG_DIR', 'HOME'])(
    'a refresh with %s on a full disk does not spend the refresh token',
    async (variable) => {
      const home = await world.homeOf(`disk-${variable}`);
      const env = { ...home, [variable]: disk, WALLET_SERVER: world.daemon().address };
      const person = await signInAs(ana.email, env, () => ({}));
      await expireStored(disk);
      await fill();
      const refused = await person.run(['balance', '--json']);
      expect(refused).toMatchObject({ code: 7, stdout: '' });
      expect(failureOf(refused)).toMatchObject({
        reason: 'STORAGE_UNAVAILABLE',
        message: expect.stringMatching(/cannot write .*ENOSPC.*nothing was sent/) as string,
      });
      await rm(join(disk, 'filler'));
      expectCode(await person.run(['balance', '--json']), 0);
      expect(await findTemporary(disk)).toEqual([]);
      await person.run(['sign-out']);
    },
  );

  it('a payment that cannot be remembered on a full disk is not sent', async () => {
    const home = await world.homeOf('disk-payment');
    const env = { ...home, WALLET_STATE_DIR: disk, WALLET_SERVER: world.daemon().address };
    const person = await signInAs(ana.email, env, () => ({}));
    const before = await person.json<{ seq: string }>(['balance']);
    await fill();
    const refused = await person.run(['deposit', '1.00', '--yes', '--json']);
    expect(refused).toMatchObject({ code: 7, stdout: '' });
    expect(failureOf(refused).message).toMatch(/ENOSPC.*nothing was sent/);
    expect(failureOf(refused).hint).toMatch(/WALLET_STATE_DIR.*--idempotency-key/);
    expect(await person.json<{ seq: string }>(['balance'])).toMatchObject({ seq: before.seq });
    await rm(join(disk, 'filler'));
  });
});

async function findTemporary(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.tmp'));
}

describe.runIf(process.geteuid?.() === 0)('folders that cannot be written', () => {
  const userId = 54_322;
  let folder: string;
  let token: string;
  beforeAll(async () => {
    folder = join(world.folder, 'ordinary');
    await mkdir(folder);
    await chmod(folder, 0o755);
    await cp('dist/cli', join(folder, 'cli'), { recursive: true });
    await cp('package.json', join(folder, 'package.json'));
    const homes = { 'read-only': 0o755, 'of-root': 0o700 };
    for (const [name, mode] of Object.entries(homes)) {
      await mkdir(join(folder, name));
      await chmod(join(folder, name), mode);
    }
    for (const name of ['cwd', 'state']) {
      await mkdir(join(folder, name));
      await chown(join(folder, name), userId, userId);
    }
    const key = await ana.json<{ secret: string }>([
      ...['api-keys', 'create', '--name', 'all', '--yes'],
      ...['transactions:write', 'wallets:read', 'statements:read'].flatMap((s) => ['--scope', s]),
    ]);
    token = key.secret;
  });

  /** As an ordinary user, in a folder of their own, with this HOME. */
  const runAs = (home: string | undefined, args: readonly string[], env: Environment = {}) => {
    const ids = [`--reuid=${userId}`, `--regid=${userId}`, '--clear-groups'];
    const cwd = ['env', '-C', join(folder, 'cwd')];
    const program = [process.execPath, join(folder, 'cli/main.js')];
    const server = { WALLET_SERVER: world.daemon().address, WALLET_TOKEN: token, TZ: 'UTC' };
    const own = home === undefined ? {} : { HOME: home };
    return run('setpriv', [...ids, ...cwd, ...program, ...args], {
      env: { PATH: process.env['PATH'] ?? '', ...server, ...own, ...env },
      input: password,
    });
  };

  const homes: [what: string, home: () => string | undefined][] = [
    ['read-only', () => join(folder, 'read-only')],
    ['of root', () => join(folder, 'of-root')],
    ['missing', () => join(folder, 'missing/home')],
    ['not set', () => undefined],
    ['empty', () => ''],
    ['relative', () => 'here'],
  ];

  it.each(homes)('with a HOME that is %s, reading commands work', async (_what, home) => {
    const reading = [
      ['balance'],
      ['transactions', 'list'],
      ['statement', 'show'],
      ['wallets', 'list'],
      ['whoami'],
      ['deposit', '1.00', '--dry-run'],
    ];
    for (const args of reading) expectCode(await runAs(home(), [...args, '--json']), 0);
    expect(await readdir(join(folder, 'cwd'))).toEqual([]);
  });

  it.each(homes)(
    'with a HOME that is %s, writing commands name the folder and its variable',
    async (_what, home) => {
      const before = await ana.json<{ seq: string }>(['balance']);
      const signIn = ['sign-in', '--email', ana.email, '--password-stdin', '--insecure-storage'];
      for (const [args, variable] of [
        [['deposit', '1.00', '--yes'], 'WALLET_STATE_DIR'],
        [signIn, 'WALLET_STATE_DIR'],
        [[...signIn, '--profile', 'other'], 'WALLET_CONFIG_DIR'],
        [['config', 'set', 'currency', 'EUR'], 'WALLET_CONFIG_DIR'],
      ] as const) {
        const state =
          variable === 'WALLET_CONFIG_DIR' ? { WALLET_STATE_DIR: `${folder}/state` } : {};
        const done = await runAs(home(), [...args, '--json'], state);
        expect(done).toMatchObject({ code: 7, stdout: '' });
        const { reason, message, hint } = failureOf(done);
        expect(reason).toBe('STORAGE_UNAVAILABLE');
        expect(message).toMatch(/cannot (read|write) \/.*nothing was sent/);
        expect(hint).toContain(`${variable}=FOLDER`);
      }
      expect(await ana.json(['balance'])).toMatchObject({ seq: before.seq });
      expect(await readdir(join(folder, 'cwd'))).toEqual([]);
    },
  );

  it('a payment under a key of its own, or with a folder for its state, is made', async () => {
    const home = join(folder, 'read-only');
    const deposit = ['deposit', '1.00', '--yes', '--json'];
    expectCode(await runAs(home, [...deposit, '--idempotency-key', 'own']), 0);
    expectCode(await runAs(home, deposit, { WALLET_STATE_DIR: join(folder, 'state') }), 0);
  });

  it('a statement is exported to a file without a folder of the command line', async () => {
    const args = ['statement', 'export', '--file', 'year.csv', '--json'];
    expectCode(await runAs(join(folder, 'read-only'), args), 0);
    expect(await readdir(join(folder, 'cwd'))).toEqual(['year.csv']);
    await rm(join(folder, 'cwd/year.csv'));
  });
});

describe('servers and hints', () => {
  it('a wrong port is reported as unreachable, without a session too', async () => {
    const web = createServer((_request, response) => response.end('hello'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const ports = [await findFreePort(), (web.address() as AddressInfo).port];
    const env = await world.homeOf('nowhere');
    for (const port of ports) {
      const server = ['--server', `127.0.0.1:${port}`, '--json'];
      for (const args of [['balance'], ['whoami'], ['deposit', '1.00', '--yes']]) {
        const done = await runWallet([...args, ...server], { env });
        expect(done).toMatchObject({ code: 7, stdout: '' });
        expect(failureOf(done).reason).toBe('UNREACHABLE');
      }
    }
    web.close();
    const there = { ...env, WALLET_SERVER: world.daemon().address };
    expect((await runWallet(['balance', '--json'], { env: there })).code).toBe(4);
  });

  it('a hint for staff names the user, and can be pasted', async () => {
    const operator = await world.staff('operator', 'operator');
    await ana.json(['deposit', '1.00', '--currency', 'EUR', '--yes']);
    const args = ['withdraw', '5000.00', '--user', ana.id, '--currency', 'EUR', '--yes'];
    const refused = await operator.run([...args, '--json']);
    expect(refused.code).toBe(6);
    const { hint = '' } = failureOf(refused);
    expect(hint).toBe(`wallet balance --user ${ana.id} --currency EUR`);
    expectCode(await operator.run(hint.split(' ').slice(1)), 0);
  });
});
