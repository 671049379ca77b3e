import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  CreateExportRequest,
  StatementServiceService,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { findFreePort } from '../../support/free-port.ts';
import { connect, item } from '../../support/grpc/client.ts';
import { readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import { signUp } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { createWorld, password, type World } from '../../support/processes/world.ts';
import { connectClient } from '../../support/postgres/client.ts';

const metricsListen = `127.0.0.1:${await findFreePort()}`;
let broker: RabbitMq;
let world: World;
let silent: Server;
const sockets = new Set<Socket>();

beforeAll(async () => {
  broker = await startRabbitMq();
  world = await createWorld();
  // A mail server that accepts connections and never says a word.
  silent = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await world.dispose();
  await broker.dispose();
  sockets.forEach((socket) => socket.destroy());
  silent.close();
});

async function ask(path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${metricsListen}${path}`);
  return { status: response.status, text: await response.text() };
}

async function deposit(token: string): Promise<string> {
  const client = connect(world.daemon().address);
  const wanted = item({ operation: Operation.DEPOSIT, amountMinor: 100n });
  const request = { item: wanted, dryRun: false };
  const answer = await client.call(WalletServiceService.createTransaction, request, token);
  client.close();
  return answer.ok ? 'OK' : answer.reason;
}

/** Holds these tables locked until it is ended. */
async function lock(...tables: string[]): Promise<{ end(): Promise<void> }> {
  const { owner } = await readUrls(world.dataDir);
  const client = await connectClient(owner('statement'));
  await client.query('BEGIN');
  await client.query(`LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE`);
  return { end: () => client.end() };
}

const stalled = (part: string): RegExp =>
  new RegExp(`^walletd_stalled\\{part="${part}"\\} 1$`, 'm');
const logged = (message: string): string[] =>
  world
    .daemon()
    .log()
    .split('\n')
    .filter((line) => line.includes(message));

it('a stall of 30 s is reported with its reason, once, and so is its end', async () => {
  const env = { RABBITMQ_URL: broker.url(await broker.createVhost()) };
  await world.start(env);
  const ana = await signUp(world.daemon().address, 'ana');
  await world.stop();
  const { port } = silent.address() as AddressInfo;
  await world.start({
    ...env,
    ...{ WALLETD_METRICS_LISTEN: metricsListen, SMTP_URL: `smtp://127.0.0.1:${port}` },
    ...{ MAIL_FROM: 'wallet@example.com', SIGN_UP: 'open' },
  });
  await waitUntil('readiness', async () => (await ask('/readyz')).text === 'ready\n');
  expect(await deposit(ana.token)).toBe('OK');

  const client = connect(world.daemon().address);
  const exportLock = await lock('export_chunks');
  const request = CreateExportRequest.fromPartial({ timezone: 'UTC' });
  const made = await client.call(StatementServiceService.createExport, request, ana.token);
  expect(made).toMatchObject({ ok: true });
  const lineLock = await lock('statement_lines');
  expect(await deposit(ana.token)).toBe('OK');
  await waitUntil('an empty outbox', async () =>
    (await ask('/metrics')).text.includes('walletd_outbox_events 0'),
  );
  await broker.ctl('set_vm_memory_high_watermark', '0');
  expect(await deposit(ana.token)).toBe('OK');
  const asked = { email: 'bia@example.com', password };
  expect(await client.call(AuthServiceService.signUp, asked)).toMatchObject({ ok: true });
  client.close();
  expect(logged('no progress')).toEqual([]);

  const parts = ['wallet.outbox', 'consumer.statement_queue', 'statement.exports', 'auth.mails'];
  await waitUntil('four stalls', async () => {
    const { text } = await ask('/metrics');
    return parts.every((part) => stalled(part).test(text));
  });
  const { status, text } = await ask('/readyz');
  expect(status).toBe(200);
  expect(text).toMatch(/^ready, degraded/);
  const line = (part: string): string => text.split('\n').find((l) => l.startsWith(part)) ?? '';
  expect(line('wallet.outbox')).toMatch(
    /stalled for \d+ s: the broker takes no messages: .*memory/,
  );
  expect(line('consumer.statement_queue')).toMatch(/the head of statement_queue waits: .*database/);
  expect(line('statement.exports')).toMatch(/database/);
  expect(line('auth.mails')).toMatch(/the SMTP server/);
  const { text: metrics } = await ask('/metrics');
  const age = /^walletd_progress_age_seconds\{part="wallet.outbox"\} (\S+)$/m.exec(metrics)?.[1];
  expect(Number(age)).toBeGreaterThanOrEqual(30);
  expect(await deposit(ana.token)).toBe('OK');

  await broker.ctl('set_vm_memory_high_watermark', '0.6');
  await lineLock.end();
  await exportLock.end();
  const healed = parts.slice(0, 3);
  await waitUntil('progress', async () => {
    const { text: now } = await ask('/metrics');
    return healed.every((part) => !stalled(part).test(now));
  });
  // One line when it begins, one when it ends, none between.
  for (const part of parts) {
    const about = (message: string) => logged(message).filter((l) => l.includes(`"${part}"`));
    expect(about('no progress')).toHaveLength(1);
    expect(about('progress again')).toHaveLength(part === 'auth.mails' ? 0 : 1);
  }
}, 240_000);
