import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Environment } from '../../../scripts/product.ts';
import { findFreePort } from '../../support/free-port.ts';
import {
  endServer,
  findChildren,
  findLeftovers,
  findProcesses,
  runProcess,
  waitFor,
  walletdFile,
  type Running,
} from '../../support/processes/process.ts';

let folder: string;
let dataDir: string;
let env: Environment;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dw-signals-'));
  chmodSync(folder, 0o711);
  dataDir = join(folder, 'data');
  env = {
    PATH: process.env['PATH'] ?? '',
    LOG_LEVEL: 'info',
    WALLETD_LISTEN: '127.0.0.1:0',
    WALLETD_METRICS_LISTEN: 'off',
    WALLETD_HTTP_LISTEN: 'off',
    WALLETD_DATA_DIR: dataDir,
    WALLETD_USER: 'root',
  };
});

afterEach(async () => {
  await endServer(dataDir);
  rmSync(folder, { recursive: true, force: true });
});

const readIfThere = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
const signal = ({ child }: Running, name: NodeJS.Signals): void => void child.kill(name);
const isReady = (running: Running) => () => running.said().includes('walletd ready');

/** What a stop that was complete looks like. */
const clean = { how: 0, leftovers: [] };
const stateAfter = async (running: Running) => ({
  how: await running.end(),
  leftovers: findLeftovers(dataDir),
});

describe('a daemon whose output is not read', () => {
  it('Ctrl-C that also ends the reader of the output stops Postgres', async () => {
    const tee = spawn('tee', [join(folder, 'log')], { stdio: ['pipe', 'ignore', 'ignore'] });
    const daemon = runProcess(['start'], env, ['ignore', tee.stdin, tee.stdin]);
    tee.stdin.destroy();
    const log = join(folder, 'log');
    await waitFor('ready', () => readIfThere(log).includes('walletd ready'));
    tee.kill('SIGINT');
    await new Promise((resolve) => tee.once('exit', resolve));
    signal(daemon, 'SIGINT');
    expect(await stateAfter(daemon)).toEqual(clean);
  });

  it('a daemon without a reader of its output keeps running, and stops on a signal', async () => {
    const daemon = runProcess(['--log-level', 'debug', 'start'], env);
    await waitFor('ready', isReady(daemon));
    daemon.child.stdout?.destroy();
    daemon.child.stderr?.destroy();
    // Whatever it says now is lost: a start beside it is refused by its live lock.
    const second = runProcess(['start'], env);
    expect(await second.end()).toBe(1);
    expect(second.said()).toContain(`pid ${daemon.child.pid}`);
    signal(daemon, 'SIGTERM');
    expect(await stateAfter(daemon)).toEqual(clean);
  });

  it('a daemon whose log is on a full disk serves, and stops with 0', async () => {
    // Standard error alone: the test's own pipe would tell of "ready" otherwise.
    const port = await findFreePort();
    const daemon = spawn(
      '/bin/sh',
      ['-c', `exec "$0" "$1" start 2>/dev/full`, process.execPath, walletdFile],
      {
        env: { ...env, LOG_LEVEL: 'trace', WALLETD_METRICS_LISTEN: `127.0.0.1:${port}` },
        stdio: 'ignore',
        detached: true,
      },
    );
    const ended = new Promise((resolve) =>
      daemon.once('exit', (code, name) => resolve(code ?? name)),
    );
    const isServing = async () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
    await waitFor('ready or ended', async () => daemon.exitCode !== null || (await isServing()));
    daemon.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(findLeftovers(dataDir)).toEqual([]);
  });
});

describe('closed terminals', () => {
  it('a closed terminal stops the daemon, and nothing is left behind', async () => {
    const log = join(folder, 'typescript');
    const command = `exec ${process.execPath} ${walletdFile} start`;
    // util-linux' script gives it a terminal; its end closes that.
    const terminal = spawn('script', ['-qefc', command, log], {
      env: { ...env, SHELL: '/bin/sh' },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    await waitFor('ready', () => readIfThere(log).includes('walletd ready'));
    const [pid = 0] = findChildren(terminal.pid ?? 0);
    expect(pid).toBeGreaterThan(0);
    terminal.kill('SIGKILL');
    await waitFor('its end', () => !existsSync(`/proc/${pid}`));
    expect(findLeftovers(dataDir)).toEqual([]);
  });

  it('a closed terminal that sends SIGHUP three times stops the daemon with 0', async () => {
    const daemon = runProcess(['start'], env);
    await waitFor('ready', isReady(daemon));
    for (let i = 0; i < 3; i += 1) {
      signal(daemon, 'SIGHUP');
      await sleep(20);
    }
    expect(await stateAfter(daemon)).toEqual(clean);
  });
});

describe('repeated Ctrl-C', () => {
  it('Ctrl-C that arrives twice, from terminal and npm, stops the daemon with 0', async () => {
    const daemon = runProcess(['start'], env);
    await waitFor('ready', isReady(daemon));
    signal(daemon, 'SIGINT');
    await sleep(5);
    signal(daemon, 'SIGINT');
    expect(await stateAfter(daemon)).toEqual(clean);
  });
});

describe('a command that started the embedded Postgres', () => {
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  const names = Object.keys(codes) as (keyof typeof codes)[];

  it.each(names)(
    'a command interrupted by %s stops its Postgres, releases the folder, and reports it',
    async (name) => {
      // On a new folder the schemas of three databases are still to be made by then.
      const command = runProcess(['migrate'], env);
      const isRunning = () => existsSync(join(dataDir, 'postgres/postmaster.pid'));
      await waitFor('a server', isRunning);
      signal(command, name);
      expect(await stateAfter(command)).toEqual({ how: codes[name], leftovers: [] });
      expect(command.said()).toContain(`interrupted by ${name}`);
      // What was begun is taken up again.
      const again = runProcess(['migrate'], env);
      expect({ how: await again.end(), said: again.said() }).toMatchObject({ how: 0 });
    },
  );

  it('a command interrupted while it creates the cluster leaves nothing running', async () => {
    const command = runProcess(['migrate'], env);
    await waitFor('initdb', () => findProcesses(join(dataDir, 'postgres.init-')).length > 0);
    signal(command, 'SIGINT');
    expect(await stateAfter(command)).toEqual({ how: 130, leftovers: [] });
    expect(findProcesses(dataDir)).toEqual([]);
  });

  it.each(names)('%s ends a command that waits for a password without a change', async (name) => {
    // What a command takes for a database before it asks for the password.
    mkdirSync(join(dataDir, 'postgres'), { recursive: true });
    writeFileSync(join(dataDir, 'embedded.json'), '{}');
    const args = ['users', 'create', '--email', 'a@example.com', '--role', 'admin'];
    const command = runProcess(args, env);
    await waitFor('the data folder', () => command.said().includes(`data folder ${dataDir}`));
    signal(command, name);
    expect(await command.end()).toBe(codes[name]);
    expect(command.said()).toContain('nothing was changed');
    expect(readdirSync(dataDir).sort()).toEqual(['embedded.json', 'postgres']);
  });
});
