import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import { connect } from 'amqplib';

import { findFreePort } from '../free-port.ts';

export type RabbitMq = {
  /** amqp://user:password@127.0.0.1:port/vhost */
  url(vhost?: string): string;
  /** A new one with a random name, on which the user may do everything. */
  createVhost(): Promise<string>;
  /** rabbitmqctl, with what it prints; fails if it does. */
  ctl(...args: string[]): Promise<string>;
  /** How `ctl` is run, for other processes that do it themselves. */
  readonly ctlCommand: CtlCommand;
  /** Of the Erlang VM, while it runs. */
  pid(): number;
  /** Stops the node in good order; its data stays. */
  stopApp(): Promise<void>;
  /**
   * kill -9 of the Erlang VM. Confirmed messages outlive it, but RabbitMQ writes down a quorum
   * queue itself only some hundred milliseconds after its declaration is answered: killed before
   * that, the queue comes back without a leader, permanently. Wait `queueWrittenMs` after declaring
   * one.
   */
  kill(): Promise<void>;
  /** Stops the VM from running, with its connections open; `thaw` lets it go on. */
  freeze(): void;
  thaw(): void;
  /** Starts it again, on the same data and ports; resolves when it accepts clients. */
  start(): Promise<void>;
  /** Ends everything that was started, and removes the folder. */
  dispose(): Promise<void>;
};

export type CtlCommand = { readonly command: readonly string[]; readonly env: NodeJS.ProcessEnv };

export const queueWrittenMs = 2_000;

const server = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const rabbitmqctl = '/usr/lib/rabbitmq/bin/rabbitmqctl';
const epmd = '/usr/bin/epmd';
const user = 'wallet-test';
const startTimeoutMs = 90_000;
const stopTimeoutMs = 60_000;

type Node = {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly password: string;
  readonly port: number;
};

/**
 * Starts a private RabbitMQ of Debian's package in a temporary folder, with ports, a node name and
 * a port mapper (epmd) of its own. Works as root, beside other brokers.
 */
export async function startRabbitMq(): Promise<RabbitMq> {
  requirePrograms();
  const node = await prepare();
  const { folder, env } = node;
  const ctlCommand = { command: [rabbitmqctl, '--quiet'], env };
  const ctl = (...args: string[]) => runCtl(ctlCommand, args);
  // In the foreground, so that it is ours to end: the VM would start one that outlives it.
  const mapper = spawn(epmd, [], { env, stdio: 'ignore' });
  let vm: ChildProcess | undefined;
  const running = (): ChildProcess => {
    if (!vm || hasEnded(vm)) throw new Error('this RabbitMQ does not run');
    return vm;
  };
  const endNow = (): void => {
    for (const child of [vm, mapper]) child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once('exit', endNow);
  const url = (vhost?: string): string => urlOf(node, vhost);
  const start = async (): Promise<void> => {
    if (vm && !hasEnded(vm)) throw new Error('this RabbitMQ runs already');
    // As under systemd the script replaces itself with the VM: the child is the VM, with its pid.
    vm = spawn(server, [], { env, cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    await waitForClients(vm, url(), join(folder, 'log'));
  };
  const dispose = async (): Promise<void> => {
    if (vm) await endWith(vm, 'SIGKILL');
    await endWith(mapper, 'SIGKILL');
    process.removeListener('exit', endNow);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    url,
    ctl,
    ctlCommand,
    createVhost: () => createVhost(ctl, user),
    pid: () => running().pid ?? 0,
    stopApp: () => endWith(running(), 'SIGTERM'),
    kill: () => endWith(running(), 'SIGKILL'),
    freeze: () => void running().kill('SIGSTOP'),
    thaw: () => void running().kill('SIGCONT'),
    start,
    dispose,
  };
}

export type Ctl = (...args: string[]) => Promise<string>;

/** Runs rabbitmqctl; one that hangs (its broker is frozen) is given up. */
export async function runCtl(ctl: CtlCommand, args: readonly string[]): Promise<string> {
  const [program = '', ...first] = ctl.command;
  const options = { env: ctl.env, timeout: stopTimeoutMs, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await promisify(execFile)(program, [...first, ...args], options);
  return stdout;
}

/** A vhost with a random name, on which this user may do everything. */
export async function createVhost(ctl: Ctl, owner: string): Promise<string> {
  const name = `test-${randomBytes(6).toString('hex')}`;
  await ctl('add_vhost', name);
  await ctl('set_permissions', '-p', name, owner, '.*', '.*', '.*');
  return name;
}

function requirePrograms(): void {
  const missing = [server, rabbitmqctl, epmd].filter((program) => !existsSync(program));
  if (missing.length === 0) return;
  throw new Error(
    `The broker tests need RabbitMQ: ${missing.join(', ')} not found. ` +
      'On Debian or Ubuntu: apt-get install -y --no-install-recommends rabbitmq-server',
  );
}

async function prepare(): Promise<Node> {
  const folder = await mkdtemp(join(tmpdir(), 'dw-rabbitmq-'));
  const port = await findFreePort();
  const distPort = await findFreePort();
  const epmdPort = await findFreePort();
  const password = randomBytes(12).toString('hex');
  const file = (name: string, text: string, mode = 0o600) =>
    writeFile(join(folder, name), text, { mode });
  await Promise.all([
    mkdir(join(folder, 'log')),
    file('.erlang.cookie', randomBytes(16).toString('hex'), 0o400),
    file('plugins', '[].\n'),
    file('env.conf', ''),
    file('rabbitmq.conf', configOf(port, password)),
  ]);
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    HOME: folder,
    // The script's way of replacing itself with the VM; without a socket nothing is notified.
    RUNNING_UNDER_SYSTEMD: 'true',
    RABBITMQ_NODENAME: `dw-${randomBytes(4).toString('hex')}@localhost`,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distPort),
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_CRASH_DUMP: join(folder, 'erl_crash.dump'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'env.conf'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    // An idle broker should leave the processor to the tests.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}',
  };
  return { folder, env, password, port };
}

const configOf = (port: number, password: string): string =>
  [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    `default_user = ${user}`,
    `default_pass = ${password}`,
    'loopback_users = none',
    'log.console = false',
    'log.file.level = info',
    '',
  ].join('\n');

function urlOf(node: Node, vhost = '/'): string {
  return `amqp://${user}:${node.password}@127.0.0.1:${node.port}/${encodeURIComponent(vhost)}`;
}

async function waitForClients(vm: ChildProcess, url: string, logFolder: string): Promise<void> {
  const deadlineMs = Date.now() + startTimeoutMs;
  while (Date.now() < deadlineMs && !hasEnded(vm)) {
    try {
      const connection = await connect(url, { timeout: 5_000 });
      await connection.close();
      return;
    } catch {
      await delay(100);
    }
  }
  const log = await readFile(join(logFolder, 'startup_err'), 'utf8').catch(() => '');
  throw new Error(`RabbitMQ ${hasEnded(vm) ? 'ended' : 'did not get ready'} at start:\n${log}`);
}

const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

async function endWith(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  child.kill('SIGCONT');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await ended;
  clearTimeout(timer);
}
