import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { startWalletd, type Daemon } from '../../../scripts/product.ts';
import { findFreePort } from '../../support/free-port.ts';
import { connect, item } from '../../support/grpc/client.ts';
import { queryService, readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import { signUp } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

const metrics = [`127.0.0.1:${await findFreePort()}`, `127.0.0.1:${await findFreePort()}`] as const;
let broker: RabbitMq;
let world: World;
let second: Daemon;

beforeAll(async () => {
  broker = await startRabbitMq();
  world = await createWorld();
});
afterAll(async () => {
  second.kill('SIGCONT');
  world.daemon().kill('SIGCONT');
  second.kill('SIGKILL');
  await second.exited;
  await world.dispose();
  await broker.dispose();
});

/** Two daemons on the databases of the first. */
async function startBoth(): Promise<readonly [Daemon, Daemon]> {
  const env = { RABBITMQ_URL: broker.url(await broker.createVhost()) };
  const first = await world.start({ ...env, WALLETD_METRICS_LISTEN: metrics[0] });
  const { runtime } = await readUrls(world.dataDir);
  second = await startWalletd({
    ...env,
    ...{ PATH: process.env['PATH'] ?? '', HOME: world.folder, WALLETD_LISTEN: '127.0.0.1:0' },
    WALLETD_METRICS_LISTEN: metrics[1],
    SELF_SERVICE_OPERATIONS: 'deposit',
    AUTH_SIGNING_KEY_FILE: join(world.dataDir, 'signing-key.pem'),
    AUTH_DATABASE_URL: runtime('auth'),
    WALLET_DATABASE_URL: runtime('wallet'),
    STATEMENT_DATABASE_URL: runtime('statement'),
  });
  return [first, second];
}

const ask = async (listen: string, path: string): Promise<string> =>
  (await fetch(`http://${listen}${path}`)).text();

async function deposit(address: string, token: string): Promise<string> {
  const client = connect(address);
  const wanted = item({ operation: Operation.DEPOSIT, amountMinor: 100n });
  const request = { item: wanted, dryRun: false };
  const answer = await client.call(WalletServiceService.createTransaction, request, token);
  client.close();
  return answer.ok ? 'OK' : answer.reason;
}

const countOutbox = async (): Promise<number> =>
  (await queryService(world.dataDir, 'wallet', 'SELECT 1 FROM outbox')).length;

it('a stopped daemon loses the relay lease, and neither daemon reports a stall', async () => {
  const daemons = await startBoth();
  const ana = await signUp(daemons[0].address, 'ana');
  expect(await deposit(daemons[0].address, ana.token)).toBe('OK');
  await waitUntil('an empty outbox', async () => (await countOutbox()) === 0);
  // The first has held the lease since it started; its Postgres goes on when it is stopped.
  daemons[0].kill('SIGSTOP');
  const stoppedAt = performance.now();
  expect(await deposit(daemons[1].address, ana.token)).toBe('OK');
  await waitUntil('the other to take over', async () => (await countOutbox()) === 0);
  // Longer than a stall takes to be reported.
  await new Promise((resolve) => setTimeout(resolve, 33_000 - (performance.now() - stoppedAt)));
  expect(await ask(metrics[1], '/readyz')).toBe('ready\n');
  daemons[0].kill('SIGCONT');
  for (const listen of metrics) {
    await waitUntil('all well', async () => (await ask(listen, '/readyz')) === 'ready\n');
    expect(await ask(listen, '/metrics')).toMatch(/^walletd_stalled\{part="wallet.outbox"\} 0$/m);
  }
  expect(await deposit(daemons[0].address, ana.token)).toBe('OK');
  await waitUntil('an empty outbox', async () => (await countOutbox()) === 0);
  for (const daemon of daemons) expect(daemon.log()).not.toContain('no progress');
}, 400_000);
