import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { waitUntil } from '../../support/ledger/ledger.ts';
import { findFreePort } from '../../support/free-port.ts';
import { startPostgres, type PostgresServer } from '../../support/postgres/server.ts';
import { createServerWorld, type ServerWorld } from '../../support/processes/server-world.ts';

let server: PostgresServer;
let world: ServerWorld;
let folder: string;

beforeAll(async () => {
  server = await startPostgres();
  world = await createServerWorld(server);
  folder = await mkdtemp(join(tmpdir(), 'dw-no-feed-'));
});

afterAll(async () => {
  await world.dispose();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it('a daemon without the feed of revocations is not ready, with the reason', async () => {
  const migrated = await world.walletd(['migrate']);
  expect(migrated.stderr).not.toMatch(/error/);
  const [authPort, metricsPort] = [await findFreePort(), await findFreePort()];
  const secret = join(folder, 'credential');
  await writeFile(secret, randomBytes(32).toString('base64url'), { mode: 0o600 });
  const shared = { WALLETD_SERVICE_CREDENTIAL_FILE: secret };
  await world.start({
    ...shared,
    WALLETD_SERVICES: 'wallet,statement',
    AUTH_SERVICE_URL: `127.0.0.1:${authPort}`,
    WALLETD_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
  });
  const ask = async (): Promise<{ status: number; text: string }> => {
    const response = await fetch(`http://127.0.0.1:${metricsPort}/readyz`);
    return { status: response.status, text: await response.text() };
  };
  expect(await ask()).toEqual({
    status: 503,
    text: 'not ready; no message of the feed of revocations for 5 s: every call is refused\n',
  });
  const auth = await world.start({
    ...shared,
    WALLETD_SERVICES: 'auth',
    WALLETD_LISTEN: `127.0.0.1:${authPort}`,
  });
  await waitUntil('readiness', async () => (await ask()).status === 200, 30_000);
  auth.kill('SIGKILL');
  await waitUntil('no readiness', async () => (await ask()).status === 503, 30_000);
});
