import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { run, runWalletd, type Environment } from '../../../scripts/product.ts';
import { findFreePort } from '../../support/free-port.ts';
import { createOwnSite, type OwnSite } from '../../support/processes/own-site.ts';
import { waitFor } from '../../support/processes/process.ts';
import { expectCode, password } from '../../support/processes/world.ts';

const notListening = { WALLETD_METRICS_LISTEN: 'off', WALLETD_HTTP_LISTEN: 'off' };

// Only root can take a user id that no account has.
const isRoot = process.geteuid?.() === 0;
const nobodysId = 54_321;
let site: OwnSite;
let walletd: string;
let wallet: string;
/** As a container does under an id of its own: no entry in passwd, and no HOME. */
const runAsNobody = (program: string, args: readonly string[], env: Environment, input = '') =>
  run('setpriv', [...ids, process.execPath, program, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    input,
  });

const ids = [`--reuid=${nobodysId}`, `--regid=${nobodysId}`, '--clear-groups'];

/** A copy of the programs in a folder that every user can enter. */
function copyPrograms(): void {
  const place = join(site.folder, 'checkout');
  mkdirSync(join(place, 'dist'), { recursive: true });
  for (const name of ['dist/daemon', 'dist/cli', 'node_modules', 'migrations', 'package.json']) {
    const linked = spawnSync('cp', ['-rl', resolve(name), join(place, name)]);
    // On another file system there are no links.
    if (linked.status !== 0) execFileSync('cp', ['-r', resolve(name), join(place, dirname(name))]);
  }
  walletd = join(place, 'dist/daemon/main.js');
  wallet = join(place, 'dist/cli/main.js');
}

beforeAll(async () => {
  if (!isRoot) return;
  site = await createOwnSite();
  copyPrograms();
  expectCode(await runWalletd(['migrate'], { env: { ...site.env, ...site.owners } }), 0);
});
afterAll(() => site.dispose());

const ownEnv = (): Environment => {
  const key = join(site.folder, 'nobodys-key.pem');
  copyFileSync(site.env['AUTH_SIGNING_KEY_FILE'] ?? '', key);
  chownSync(key, nobodysId, nobodysId);
  return { ...site.env, AUTH_SIGNING_KEY_FILE: key };
};

describe.runIf(isRoot)('user id without an entry in passwd', () => {
  it('a user id without an entry runs the daemon on external databases', async () => {
    const env = ownEnv();
    expectCode(await runAsNobody(walletd, ['config', 'check'], env), 0);
    expectCode(await runAsNobody(walletd, ['migrate'], { ...env, ...site.owners }), 0);
    const args = ['users', 'create', '--email', 'ana@example.com', '--role', 'customer'];
    expectCode(await runAsNobody(walletd, args, env, password), 0);
    let pid = 0;
    const port = await findFreePort();
    const running = run('setpriv', [...ids, process.execPath, walletd, 'start'], {
      env: { ...env, WALLETD_METRICS_LISTEN: `127.0.0.1:${port}` },
      onStart: (started) => (pid = started),
    });
    const over = new AbortController();
    void running.finally(() => over.abort());
    const isServing = () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
    await waitFor('ready or its end', async () => over.signal.aborted || (await isServing()));
    if (!over.signal.aborted) process.kill(pid, 'SIGTERM');
    const done = await running;
    expectCode(done, 0);
    expect(done.stderr).toContain('walletd ready');
  });

  it('a user id without an entry gets errors about the data folder and WALLETD_USER', async () => {
    const env = { WALLETD_LISTEN: '127.0.0.1:0', ...notListening };
    const started = await runAsNobody(walletd, ['start'], env);
    expect(started).toMatchObject({ code: 1 });
    expect(started.stderr).toMatch(/user with id 54321 has no home folder/);
    expect(started.stderr).toMatch(/^hint: .*WALLETD_DATA_DIR/m);
    expect(started.stderr).not.toMatch(/^\s+at /m);
    const other = await runAsNobody(walletd, ['start'], { ...env, WALLETD_USER: 'postgres' });
    expect(other).toMatchObject({ code: 1 });
    expect(other.stderr).toMatch(/WALLETD_USER: .*user id 54321/);
  });

  it('a user id without an entry is refused for the embedded Postgres', async () => {
    const dataDir = join(site.folder, 'nobodys-data');
    mkdirSync(dataDir);
    chownSync(dataDir, nobodysId, nobodysId);
    const env = { WALLETD_LISTEN: '127.0.0.1:0', WALLETD_DATA_DIR: dataDir };
    const started = await runAsNobody(walletd, ['start'], env);
    expect(started).toMatchObject({ code: 1 });
    expect(started.stderr).toMatch(/^hint: .*no entry in \/etc\/passwd/m);
    expect(started.stderr).not.toMatch(/^\s+at /m);
  });

  it('a user id without an entry uses the CLI, which names unwritable folders', async () => {
    const version = await runAsNobody(wallet, ['--version'], {});
    expectCode(version, 0);
    const listed = await runAsNobody(wallet, ['config', 'list'], {});
    expectCode(listed, 0);
    const checked = await runAsNobody(wallet, ['doctor'], {});
    expect(checked).toMatchObject({ code: 1, stderr: '' });
    expect(checked.stdout).toMatch(
      /^problem +folders +HOME is not set, .* no folder for settings/m,
    );
    expect(checked.stdout).toContain('fix: set WALLET_CONFIG_DIR to a folder that you may write');
    const set = await runAsNobody(wallet, ['config', 'set', 'currency', 'EUR'], {});
    expect(set.code).not.toBe(0);
    expect(set.stderr).not.toMatch(/^\s+at /m);
    expect(set.stderr).toContain('HOME is not set');
    const folder = join(site.folder, 'nobodys-config');
    mkdirSync(folder);
    chownSync(folder, nobodysId, nobodysId);
    const dirs = { WALLET_CONFIG_DIR: folder, WALLET_STATE_DIR: folder };
    expectCode(await runAsNobody(wallet, ['config', 'set', 'timezone', 'UTC'], dirs), 0);
  });
});
