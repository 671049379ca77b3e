import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  runWalletd,
  startWalletd,
  type Daemon,
  type Environment,
  type Finished,
} from '../../../scripts/product.ts';
import type { PostgresServer } from '../postgres/server.ts';

const services = ['auth', 'wallet', 'statement'] as const;

/** The built `walletd` on a database server of one's own, with empty databases. */
export type ServerWorld = {
  /** What the daemon is started with. */
  readonly env: Environment;
  /** Rejects with what it has logged, where it does not start. */
  start(extra?: Environment): Promise<Daemon>;
  /** With the owners' URLs besides. */
  walletd(args: readonly string[], input?: string): Promise<Finished>;
  dispose(): Promise<void>;
};

/** `urlOf`: where the daemon reaches a database as a role; the server itself if not given. */
export async function createServerWorld(
  server: PostgresServer,
  urlOf = (role: string, database: string): string =>
    server.url({ database }).replace('//super@', `//${role}@`),
): Promise<ServerWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'dw-own-server-'));
  await chmod(folder, 0o711);
  const keyFile = join(folder, 'signing.pem');
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const urls: Record<string, string> = {};
  const ownerUrls: Record<string, string> = {};
  for (const name of services) {
    await server.query(`CREATE ROLE ${name}_owner LOGIN`);
    await server.query(`CREATE ROLE ${name}_app LOGIN`);
    await server.query(`CREATE DATABASE ${name} OWNER ${name}_owner`);
    urls[`${name.toUpperCase()}_DATABASE_URL`] = urlOf(`${name}_app`, name);
    ownerUrls[`${name.toUpperCase()}_MIGRATION_DATABASE_URL`] = urlOf(`${name}_owner`, name);
  }
  const env: Environment = {
    PATH: process.env['PATH'] ?? '',
    WALLETD_LISTEN: '127.0.0.1:0',
    WALLETD_METRICS_LISTEN: 'off',
    WALLETD_HTTP_LISTEN: 'off',
    SIGN_UP: 'open',
    SELF_SERVICE_OPERATIONS: 'deposit,withdraw,purchase,reversal,cancellation',
    AUTH_SIGNING_KEY_FILE: keyFile,
    LOG_LEVEL: 'info',
    ...urls,
  };
  const walletd = (args: readonly string[], input?: string): Promise<Finished> =>
    runWalletd(args, {
      env: { ...env, ...ownerUrls },
      ...(input === undefined ? {} : { input }),
    });
  const daemons: Daemon[] = [];
  return {
    env,
    start: async (extra = {}) => {
      const daemon = await startWalletd({ ...env, ...extra });
      daemons.push(daemon);
      return daemon;
    },
    walletd,
    dispose: async () => {
      for (const daemon of daemons) {
        daemon.kill('SIGKILL');
        await daemon.exited;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
