import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { credentials, type ChannelCredentials } from '@grpc/grpc-js';

import { startEmbedded } from '../../../daemon/embedded/index.ts';
import { createLog } from '../../../daemon/platform/log.ts';
import {
  runWallet,
  runWalletd,
  startWalletd,
  type Daemon,
  type Environment,
} from '../../../scripts/product.ts';
import { createAuthority } from '../auth/certificates.ts';
import { findFreePort } from '../free-port.ts';
import { readDocumentedProxy, replaceAll, startNginx } from './proxy.ts';
import { expectCode, password, signInAs, type Person, type World } from './world.ts';

/**
 * Two daemons, auth | wallet and statement, that meet by mutual TLS, and nginx in front of both.
 */
export type SplitWorld = Pick<World, 'customer' | 'staff'> & {
  /** Where the CLI goes: nginx. */
  readonly address: string;
  /** Where the ledger's process itself listens. */
  readonly ledgerAddress: string;
  /** A channel's credentials with, or without, a certificate of the world's authority. */
  channel(withCertificate: boolean): ChannelCredentials;
  readonly serviceCredential: string;
  killAuth(): Promise<void>;
  /** `env`: settings besides its usual ones. */
  startAuth(env?: Environment): Promise<void>;
  dispose(): Promise<void>;
};

export async function createSplitWorld(): Promise<SplitWorld> {
  const releases: (() => unknown)[] = [];
  const dispose = async (): Promise<void> => {
    for (const release of releases.splice(0).reverse()) await release();
  };
  return buildSplitWorld(releases, dispose).catch(async (err: unknown) => {
    await dispose();
    throw err;
  });
}

async function buildSplitWorld(
  releases: (() => unknown)[],
  dispose: () => Promise<void>,
): Promise<SplitWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'dw-split-'));
  releases.push(() => rm(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o711);
  const path = (name: string): string => join(folder, name);
  const authority = createAuthority(folder, 'authority');
  const daemonTls = authority.issue('walletd');
  const proxyTls = authority.issue('proxy');
  const serviceCredential = randomBytes(32).toString('base64url');
  writeFileSync(path('service-credential'), serviceCredential, { mode: 0o600 });
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(path('signing.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
  });

  const log = createLog('warn');
  const postgres = await startEmbedded({ dataDir: path('data'), log });
  if (!postgres.ok) throw new Error(`${postgres.fault.fault} ${postgres.fault.hint}`);
  releases.push(() => postgres.value.stop());
  const { databases } = postgres.value;
  const urls = (name: 'auth' | 'wallet' | 'statement'): Environment => ({
    [`${name.toUpperCase()}_DATABASE_URL`]: databases[name].runtimeUrl,
    [`${name.toUpperCase()}_MIGRATION_DATABASE_URL`]: databases[name].ownerUrl,
  });
  const authPort = await findFreePort();
  const ledgerPort = await findFreePort();
  const proxyPort = await findFreePort();
  const shared: Environment = {
    PATH: process.env['PATH'] ?? '',
    WALLETD_METRICS_LISTEN: 'off',
    WALLETD_HTTP_LISTEN: 'off',
    WALLETD_SERVICE_CREDENTIAL_FILE: path('service-credential'),
    TLS_CERT_FILE: daemonTls.cert,
    TLS_KEY_FILE: daemonTls.key,
    TLS_CLIENT_CA_FILE: authority.cert,
    PEER_CA_FILE: authority.cert,
    TRUSTED_PROXIES: '127.0.0.1',
  };
  // As one environment file for both daemons: each takes from it what it needs.
  const system: Environment = {
    ...shared,
    ...urls('auth'),
    ...urls('wallet'),
    ...urls('statement'),
    AUTH_SERVICE_URL: `https://127.0.0.1:${authPort}`,
    WALLET_SERVICE_URL: `https://127.0.0.1:${ledgerPort}`,
    STATEMENT_SERVICE_URL: 'https://statement.internal:50051',
    AUTH_SIGNING_KEY_FILE: path('signing.pem'),
    SIGN_UP: 'open',
    SELF_SERVICE_OPERATIONS: 'deposit,withdraw,purchase,reversal,cancellation',
  };
  const authEnv: Environment = {
    ...system,
    WALLETD_SERVICES: 'auth',
    WALLETD_LISTEN: `127.0.0.1:${authPort}`,
  };
  const ledgerEnv: Environment = {
    ...system,
    WALLETD_SERVICES: 'wallet,statement',
    WALLETD_LISTEN: `127.0.0.1:${ledgerPort}`,
  };
  const startDaemon = async (env: Environment): Promise<Daemon> => {
    const daemon = await startWalletd(env);
    releases.push(() => {
      daemon.kill('SIGTERM');
      return daemon.exited;
    });
    return daemon;
  };
  let auth = await startDaemon(authEnv);
  const ledger = await startDaemon(ledgerEnv);
  const nginx = await startNginx(
    folder,
    proxyPort,
    replaceAll(readDocumentedProxy('nginx'), [
      ['auth.internal:50051', `127.0.0.1:${authPort}`],
      ['ledger.internal:50051', `127.0.0.1:${ledgerPort}`],
      ['listen 443 ', `listen 127.0.0.1:${proxyPort} `],
      ['/etc/digital-wallet/tls/public.pem', proxyTls.cert],
      ['/etc/digital-wallet/tls/public.key', proxyTls.key],
      ['/etc/digital-wallet/tls/proxy.pem', proxyTls.cert],
      ['/etc/digital-wallet/tls/proxy.key', proxyTls.key],
      ['/etc/digital-wallet/tls/ca.pem', authority.cert],
    ]),
  );
  releases.push(() => nginx.stop());
  const address = `127.0.0.1:${proxyPort}`;
  const server = (): Environment => ({ WALLET_SERVER: address, WALLET_TLS_CA: authority.cert });
  const homeOf = (name: string): Environment => {
    mkdirSync(path(`home-${name}`), { mode: 0o700, recursive: true });
    return { PATH: shared['PATH'] ?? '', HOME: path(`home-${name}`), TZ: 'UTC' };
  };
  const enter = (name: string): Promise<Person> =>
    signInAs(`${name}@example.com`, homeOf(name), server);

  return {
    address,
    ledgerAddress: ledger.address,
    serviceCredential,
    channel: (withCertificate) => {
      const own = [daemonTls.key, daemonTls.cert].map((file) => readFileSync(file));
      const [key = null, cert = null] = withCertificate ? own : [];
      return credentials.createSsl(readFileSync(authority.cert), key, cert);
    },
    customer: async (name) => {
      const args = ['sign-up', '--email', `${name}@example.com`, '--password-stdin', '--quiet'];
      const env = { ...homeOf(name), ...server() };
      expectCode(await runWallet(args, { env, input: password }), 0);
      return enter(name);
    },
    staff: async (name, role) => {
      const args = ['users', 'create', '--email', `${name}@example.com`, '--role', role];
      expectCode(await runWalletd(args, { env: authEnv, input: password }), 0);
      return enter(name);
    },
    killAuth: async () => {
      auth.kill('SIGKILL');
      await auth.exited;
    },
    startAuth: async (env = {}) => {
      auth = await startDaemon({ ...authEnv, ...env });
    },
    dispose,
  };
}
