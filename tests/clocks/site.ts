import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import {
  runWalletd,
  startWalletd,
  type Daemon,
  type Environment,
  type Finished,
} from '../../scripts/product.ts';
import { connect, type Connection } from '../support/grpc/client.ts';
import { readUrls } from '../support/ledger/ledger.ts';
import {
  createSteppedClock,
  startSteppedPostgres,
  type SteppedClock,
} from '../support/postgres/stepped-clock.ts';
import { expectCode, password, signInAs, type Person } from '../support/processes/world.ts';

/** A daemon and a Postgres, each with a wall clock of its own. */
export type ClockSite = {
  readonly dataDir: string;
  readonly serverClock: SteppedClock;
  readonly daemonClock: SteppedClock;
  /** Starts the daemon, with its clock as it is set. */
  start(): Promise<Connection>;
  daemon(): Daemon;
  stopDaemon(): Promise<number | null>;
  /** A command of the host, with a right clock. */
  walletd(args: readonly string[], input?: string): Promise<Finished>;
  /** A member of staff who signed in with the CLI. */
  staff(name: string, role: 'operator' | 'admin'): Promise<Person>;
  dispose(): Promise<void>;
};

export async function createClockSite(extra: Environment = {}): Promise<ClockSite> {
  const server = await startSteppedPostgres();
  const { dataDir } = server;
  const clockFolder = join(dataDir, 'daemon-clock');
  await mkdir(clockFolder, { recursive: true });
  const daemonClock = await createSteppedClock(clockFolder);
  const env = await createEnvironment(dataDir, extra);
  const { owner } = await readUrls(dataDir);
  const owners = {
    AUTH_MIGRATION_DATABASE_URL: owner('auth'),
    WALLET_MIGRATION_DATABASE_URL: owner('wallet'),
    STATEMENT_MIGRATION_DATABASE_URL: owner('statement'),
  };
  expectCode(await runWalletd(['migrate'], { env: { ...env, ...owners } }), 0);
  let daemon: Daemon | undefined;
  let connection: Connection | undefined;
  const current = (): Daemon => {
    if (!daemon) throw new Error('no daemon runs');
    return daemon;
  };
  const stopDaemon = async (): Promise<number | null> => {
    connection?.close();
    const code = daemon ? (daemon.kill('SIGTERM'), await daemon.exited) : null;
    daemon = undefined;
    return code;
  };
  const walletd = (args: readonly string[], input?: string): Promise<Finished> =>
    runWalletd(args, { env, ...(input === undefined ? {} : { input }) });
  return {
    dataDir,
    serverClock: server.clock,
    daemonClock,
    start: async () => {
      await stopDaemon();
      daemon = await startWalletd({ ...env, ...daemonClock.env });
      return (connection = connect(daemon.address));
    },
    daemon: current,
    stopDaemon,
    walletd,
    staff: async (name, role) => {
      const email = `${name}@example.com`;
      const args = ['users', 'create', '--email', email, '--role', role];
      expectCode(await walletd(args, password), 0);
      const home = join(dataDir, 'homes', name);
      await mkdir(home, { recursive: true, mode: 0o700 });
      const own = { PATH: process.env['PATH'] ?? '', HOME: home, TZ: 'UTC' };
      return signInAs(email, own, () => ({ WALLET_SERVER: current().address }));
    },
    dispose: async () => {
      await stopDaemon();
      await server.stop();
    },
  };
}

async function createEnvironment(dataDir: string, extra: Environment): Promise<Environment> {
  const keyFile = join(dataDir, 'signing-key.pem');
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  await writeFile(keyFile, pem, { mode: 0o600 });
  const { runtime } = await readUrls(dataDir);
  return {
    PATH: process.env['PATH'] ?? '',
    WALLETD_LISTEN: '127.0.0.1:0',
    WALLETD_METRICS_LISTEN: 'off',
    WALLETD_HTTP_LISTEN: 'off',
    SIGN_UP: 'open',
    SELF_SERVICE_OPERATIONS: 'deposit,withdraw,purchase,reversal,cancellation,transfer',
    AUTH_SIGNING_KEY_FILE: keyFile,
    AUTH_DATABASE_URL: runtime('auth'),
    WALLET_DATABASE_URL: runtime('wallet'),
    STATEMENT_DATABASE_URL: runtime('statement'),
    LOG_LEVEL: 'warn',
    ...extra,
  };
}
