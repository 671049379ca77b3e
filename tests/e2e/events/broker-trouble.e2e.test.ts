import { connect as connectAmqp } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { findFreePort } from '../../support/free-port.ts';
import { connect, item } from '../../support/grpc/client.ts';
import { queryService, waitUntil } from '../../support/ledger/ledger.ts';
import { createProducer, signUp } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

const metricsListen = `127.0.0.1:${await findFreePort()}`;
let broker: RabbitMq;
let world: World;

beforeAll(async () => {
  broker = await startRabbitMq();
  world = await createWorld();
});

afterEach(() => world.stop());

afterAll(async () => {
  await world.dispose();
  await broker.dispose();
});

const start = (vhost: string, more: Record<string, string> = {}) =>
  world.start({ RABBITMQ_URL: broker.url(vhost), WALLETD_METRICS_LISTEN: metricsListen, ...more });

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

const transactionsOf = async (userId: string): Promise<number> => {
  const rows = await queryService(
    world.dataDir,
    'wallet',
    'SELECT 1 FROM transactions t JOIN wallets w ON w.id = t.wallet_id WHERE w.user_id = $1',
    [userId],
  );
  return rows.length;
};

describe('broker trouble', () => {
  it('a broker that is down at start is reported, and connected later', async () => {
    const vhost = await broker.createVhost();
    await broker.stopApp();
    await start(vhost);
    const ana = await signUp(world.daemon().address, 'ana');
    expect(await deposit(ana.token)).toBe('OK');
    expect(await ask('/healthz')).toMatchObject({ status: 200 });
    expect(await ask('/readyz')).toMatchObject({
      status: 200,
      text: expect.stringContaining('; ') as string,
    });
    await waitUntil('a backlog in the metrics', async () => {
      const { text } = await ask('/metrics');
      // The deposit's event, and that of a checkpoint.
      return /walletd_outbox_events [1-9]/.test(text) && text.includes('walletd_broker_up 0');
    });
    await broker.start();
    await waitUntil('an empty outbox', async () => {
      const { text } = await ask('/metrics');
      return text.includes('walletd_outbox_events 0') && text.includes('walletd_broker_up 1');
    });
    // Those that publish and those that consume have connections of their own: each comes back by
    // itself.
    await waitUntil('no more trouble', async () => (await ask('/readyz')).text === 'ready\n');
    expect(await ask('/readyz')).toEqual({ status: 200, text: 'ready\n' });
  });

  it('past the outbox limit transactions are refused until the broker confirms', async () => {
    const vhost = await broker.createVhost();
    await start(vhost, { OUTBOX_LIMIT: '3' });
    const bia = await signUp(world.daemon().address, 'bia');
    await broker.stopApp();
    for (let i = 0; i < 3; i += 1) expect(await deposit(bia.token)).toBe('OK');
    await waitUntil('a refusal', async () => (await deposit(bia.token)) === 'OUTBOX_FULL', 10_000);
    await broker.start();
    await waitUntil('room again', async () => (await deposit(bia.token)) === 'OK', 30_000);
  });

  it('a queue with other arguments is reported, and recovery needs no restart', async () => {
    const vhost = await broker.createVhost();
    const connection = await connectAmqp(broker.url(vhost));
    connection.on('error', () => undefined);
    const channel = await connection.createChannel();
    await channel.assertQueue('wallet_queue', { durable: true });
    await start(vhost);
    const caio = await signUp(world.daemon().address, 'caio');
    expect(await deposit(caio.token)).toBe('OK');
    const word = /inequivalent arg '[^']+' for queue 'wallet_queue'.*delete it/s;
    await waitUntil('a word about it', async () => word.test((await ask('/readyz')).text));
    const readReports = (): string[] => {
      const lines = world.daemon().log().split('\n');
      const reports = lines.filter((line) => line.includes('PRECONDITION_FAILED'));
      return reports.map((line) => (JSON.parse(line) as { session: string }).session).sort();
    };
    // Each session that declares the queue reports it, once.
    const sessions = ['consumer wallet_queue', 'consumer wallet_queue.dead'];
    await waitUntil('all reports', () => Promise.resolve(readReports().length >= sessions.length));
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(readReports()).toEqual(sessions);
    await channel.deleteQueue('wallet_queue');
    await connection.close();
    await waitUntil('readiness', async () => (await ask('/readyz')).text === 'ready\n', 40_000);
  });

  it('queues that are deleted are declared again, and messages take effect', async () => {
    const vhost = await broker.createVhost();
    await start(vhost);
    const davi = await signUp(world.daemon().address, 'davi');
    await waitUntil('readiness', async () => (await ask('/readyz')).text === 'ready\n');
    for (const queue of ['wallet_queue', 'statement_queue']) {
      await broker.ctl('delete_queue', queue, '-p', vhost);
    }
    const exists = async () =>
      (await broker.ctl('list_queues', '-p', vhost, 'name')).includes('wallet_queue\n');
    await waitUntil('the queue', exists, 20_000);
    const producer = await createProducer(broker.url(vhost));
    await producer.emit({ userId: davi.id, operation: 'deposit', amount: '1.00' });
    await producer.close();
    await waitUntil('its effect', async () => (await transactionsOf(davi.id)) === 1, 20_000);
    await waitUntil(
      'its line',
      async () =>
        (
          await queryService(
            world.dataDir,
            'statement',
            'SELECT 1 FROM statement_lines WHERE user_id = $1',
            [davi.id],
          )
        ).length === 1,
    );
  });

  it('no message is lost while the database loses its connections repeatedly', async () => {
    const vhost = await broker.createVhost();
    await start(vhost);
    const eva = await signUp(world.daemon().address, 'eva');
    const producer = await createProducer(broker.url(vhost));
    const killing = setInterval(() => {
      void queryService(
        world.dataDir,
        'wallet',
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity ' +
          "WHERE application_name LIKE 'walletd%' " +
          'AND datname = current_database() AND pid <> pg_backend_pid()',
      ).catch(() => undefined);
    }, 50);
    for (let i = 0; i < 300; i += 1) {
      await producer.emit({ userId: eva.id, operation: 'deposit', amount: '1.00' });
    }
    clearInterval(killing);
    await producer.close();
    await waitUntil('all effects', async () => (await transactionsOf(eva.id)) === 300, 30_000);
    expect(await queryService(world.dataDir, 'wallet', 'SELECT 1 FROM dead_letters')).toEqual([]);
  });
});
