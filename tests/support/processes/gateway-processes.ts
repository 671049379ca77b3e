import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Daemon, Environment } from '../../../scripts/product.ts';
import { createAuthority } from '../auth/certificates.ts';
import { findFreePort } from '../free-port.ts';
import { createHttpClient, type HttpClient } from '../http/client.ts';
import { startPostgres, type PostgresServer } from '../postgres/server.ts';
import { createServerWorld, type ServerWorld } from './server-world.ts';
import { expectCode } from './world.ts';

type Part = 'auth' | 'ledger' | 'gateway';

/** Three daemons that meet by mutual TLS: auth | wallet and statement | the HTTP gateway. */
export type GatewayProcesses = {
  readonly postgres: PostgresServer;
  readonly world: ServerWorld;
  readonly client: HttpClient;
  readonly port: number;
  kill(part: Part): Promise<void>;
  start(part: Part): Promise<Daemon>;
  daemon(part: Part): Daemon;
  dispose(): Promise<void>;
};

export async function startGatewayProcesses(): Promise<GatewayProcesses> {
  const folder = mkdtempSync(join(tmpdir(), 'dw-gateway-'));
  const authority = createAuthority(folder, 'authority');
  const { cert, key } = authority.issue('walletd');
  const credentialFile = join(folder, 'service-credential');
  writeFileSync(credentialFile, randomBytes(32).toString('base64url'), { mode: 0o600 });
  const postgres = await startPostgres({ settings: { max_connections: '300' } });
  const world = await createServerWorld(postgres);
  expectCode(await world.walletd(['migrate']), 0);
  const ports = { auth: await findFreePort(), ledger: await findFreePort() };
  const port = await findFreePort();
  const peer = (of: number): string => `https://127.0.0.1:${of}`;
  const shared: Environment = {
    TLS_CERT_FILE: cert,
    TLS_KEY_FILE: key,
    PEER_CA_FILE: authority.cert,
    WALLETD_SERVICE_CREDENTIAL_FILE: credentialFile,
    AUTH_SERVICE_URL: peer(ports.auth),
    WALLET_SERVICE_URL: peer(ports.ledger),
    STATEMENT_SERVICE_URL: peer(ports.ledger),
    TRUSTED_PROXIES: '127.0.0.1',
  };
  const service: Environment = { ...shared, TLS_CLIENT_CA_FILE: authority.cert };
  const environments: Readonly<Record<Part, Environment>> = {
    auth: { ...service, WALLETD_SERVICES: 'auth', WALLETD_LISTEN: `127.0.0.1:${ports.auth}` },
    ledger: {
      ...service,
      WALLETD_SERVICES: 'wallet,statement',
      WALLETD_LISTEN: `127.0.0.1:${ports.ledger}`,
    },
    gateway: {
      ...shared,
      WALLETD_SERVICES: 'gateway',
      WALLETD_HTTP_LISTEN: `127.0.0.1:${port}`,
    },
  };
  const running = new Map<Part, Daemon>();
  const start = async (part: Part): Promise<Daemon> => {
    const daemon = await world.start(environments[part]);
    running.set(part, daemon);
    return daemon;
  };
  const daemon = (part: Part): Daemon => {
    const found = running.get(part);
    if (!found) throw new Error(`${part} does not run`);
    return found;
  };
  for (const part of ['auth', 'ledger', 'gateway'] as const) await start(part);
  const ca = readFileSync(authority.cert);
  const client = createHttpClient(`https://127.0.0.1:${port}`, { ca });
  return {
    ...{ postgres, world, client, port, start, daemon },
    kill: async (part) => {
      daemon(part).kill('SIGKILL');
      await daemon(part).exited;
    },
    dispose: async () => {
      client.close();
      await world.dispose();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
