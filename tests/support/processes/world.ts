import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  runWallet,
  runWalletd,
  startWalletd,
  type Daemon,
  type Environment,
  type Finished,
} from '../../../scripts/product.ts';
import { findFreePort } from '../free-port.ts';

export const password = 'a long enough passphrase';

export type Person = {
  readonly email: string;
  readonly id: string;
  /** Runs the CLI as this person. */
  run(args: readonly string[], input?: string): Promise<Finished>;
  /** The same, expecting success, with `--json` added and the answer parsed. */
  json<T = Record<string, unknown>>(args: readonly string[]): Promise<T>;
  readonly env: Environment;
};

/** A daemon with its data, and people with homes of their own, all in one temporary folder. */
export type World = {
  readonly folder: string;
  readonly dataDir: string;
  readonly daemon: () => Daemon;
  /** `walletd` is another build of the daemon than the usual one. */
  start(env?: Environment, walletd?: string): Promise<Daemon>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
  /** kill -9: nothing is said goodbye to. */
  kill(): Promise<void>;
  /** An environment with a home of its own, and nothing else of ours. */
  homeOf(name: string): Promise<Environment>;
  /** Signs up and in, with the token in a file of the person's home. */
  customer(name: string): Promise<Person>;
  /** Made on the host, then signed in. */
  staff(name: string, role: 'operator' | 'admin'): Promise<Person>;
  walletd(args: readonly string[], input?: string | Buffer): Promise<Finished>;
  dispose(): Promise<void>;
};

export async function createWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'dw-world-'));
  await chmod(folder, 0o711);
  const dataDir = join(folder, 'data');
  const path = process.env['PATH'] ?? '';
  let daemon: Daemon | undefined;
  // The same after a restart: sign-ins belong to an address.
  let listen = `127.0.0.1:${await findFreePort()}`;

  const daemonEnv = (extra: Environment = {}): Environment => ({
    PATH: path,
    WALLETD_LISTEN: listen,
    WALLETD_DATA_DIR: dataDir,
    WALLETD_METRICS_LISTEN: 'off',
    WALLETD_HTTP_LISTEN: 'off',
    LOG_LEVEL: 'info',
    ...extra,
  });
  const current = (): Daemon => {
    if (!daemon) throw new Error('no daemon runs');
    return daemon;
  };
  const start = async (env?: Environment, walletd?: string): Promise<Daemon> => {
    daemon = await startWalletd(daemonEnv(env), [], [], walletd);
    listen = daemon.address;
    return daemon;
  };
  const stop = async (): Promise<number | null> => {
    current().kill('SIGTERM');
    const code = await current().exited;
    daemon = undefined;
    return code;
  };
  const homeOf = async (name: string): Promise<Environment> => {
    const home = join(folder, 'homes', name);
    await mkdir(home, { recursive: true, mode: 0o700 });
    return { PATH: path, HOME: home, TZ: 'UTC' };
  };
  const serverEnv = (): Environment => ({ WALLET_SERVER: current().address });
  const signIn = async (email: string, name: string): Promise<Person> =>
    signInAs(email, await homeOf(name), serverEnv);

  return {
    folder,
    dataDir,
    daemon: current,
    start,
    stop,
    kill: async () => {
      current().kill('SIGKILL');
      await current().exited;
      daemon = undefined;
    },
    homeOf,
    customer: async (name) => {
      const email = `${name}@example.com`;
      const env = { ...(await homeOf(name)), WALLET_SERVER: current().address };
      const args = ['sign-up', '--email', email, '--password-stdin', '--quiet'];
      expectCode(await runWallet(args, { env, input: password }), 0);
      return signIn(email, name);
    },
    staff: async (name, role) => {
      const email = `${name}@example.com`;
      const args = ['users', 'create', '--email', email, '--role', role];
      expectCode(await runWalletd(args, { env: daemonEnv(), input: password }), 0);
      return signIn(email, name);
    },
    walletd: (args, input) =>
      runWalletd(args, { env: daemonEnv(), ...(input === undefined ? {} : { input }) }),
    dispose: async () => {
      // A start after a kill adopts the orphaned Postgres, and a stop then ends it.
      if (!daemon && (await hasServer(dataDir))) await start().catch(() => undefined);
      if (daemon) await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Signs in, with the token in a file of this home. `server` says how the CLI gets there. */
export async function signInAs(
  email: string,
  env: Environment,
  server: () => Environment,
): Promise<Person> {
  const run = (args: readonly string[], input?: string) =>
    runWallet(args, { env: { ...env, ...server() }, ...(input === undefined ? {} : { input }) });
  const signedIn = await run(
    ['sign-in', '--email', email, '--password-stdin', '--insecure-storage', '--json'],
    password,
  );
  expectCode(signedIn, 0);
  const json = async <T>(args: readonly string[]): Promise<T> => {
    const done = await run([...args, '--json', '--quiet']);
    expectCode(done, 0);
    return JSON.parse(done.stdout) as T;
  };
  const { user } = await json<{ user: { id: string } }>(['whoami']);
  return { email, id: user.id, run, json, env };
}

export function expectCode(done: Finished, code: number): void {
  if (done.code === code) return;
  throw new Error(
    `exit code ${String(done.code)} instead of ${code}\n${done.stdout}${done.stderr}`,
  );
}

async function hasServer(dataDir: string): Promise<boolean> {
  return readFile(join(dataDir, 'postgres/postmaster.pid')).then(
    () => true,
    () => false,
  );
}
