import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { createRandom, shuffle } from '../../fuzz/random.ts';
import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { startWalletd } from '../../../scripts/product.ts';
import { connect, item, type Connection } from '../../support/grpc/client.ts';
import { findFaults, queryService, readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import {
  createProducer,
  signUp,
  type Emitted,
  type Producer,
} from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

let broker: RabbitMq;
let vhost: string;
let env: Record<string, string>;
let world: World;

beforeAll(async () => {
  broker = await startRabbitMq();
  vhost = await broker.createVhost();
  env = { RABBITMQ_URL: broker.url(vhost) };
  world = await createWorld();
  await world.start(env);
});

afterAll(async () => {
  await world.dispose();
  await broker.dispose();
});

const count = async (service: string, from: string): Promise<number> => {
  const text = `SELECT count(*)::int AS count FROM ${from}`;
  const [row] = await queryService<{ count: number }>(world.dataDir, service, text);
  return row?.count ?? -1;
};

/** Messages in all queues of ours, ready or not. */
async function countQueued(): Promise<number> {
  const listed = await broker.ctl('list_queues', '-p', vhost, 'messages', '--no-table-headers');
  return listed.split('\n').reduce((sum, line) => sum + (Number(line) || 0), 0);
}

async function waitForQuiet(timeoutMs: number): Promise<void> {
  await waitUntil(
    'an empty outbox',
    async () => (await count('wallet', 'outbox')) === 0,
    timeoutMs,
  );
  await waitUntil('empty queues', async () => (await countQueued()) === 0, timeoutMs);
}

const deposit = (client: Connection, token: string, amountMinor: bigint) =>
  client.call(
    WalletServiceService.createTransaction,
    { item: item({ operation: Operation.DEPOSIT, amountMinor }), dryRun: false },
    token,
  );

/** Sends all, again after each loss of the broker, until all are confirmed. */
async function sendAll(messages: readonly Emitted[]): Promise<void> {
  let left = [...messages];
  while (left.length > 0) {
    const producer = await createProducer(broker.url(vhost)).catch(() => undefined);
    if (!producer) {
      await sleep(200);
      continue;
    }
    const closed = new Promise<void>((resolve) => producer.channel.on('close', () => resolve()));
    const sent = await sendSome(producer, left.slice(0, 250), closed);
    left = left.filter((message) => !sent.has(message));
    await producer.close();
  }
}

async function sendSome(
  producer: Producer,
  messages: readonly Emitted[],
  closed: Promise<void>,
): Promise<ReadonlySet<Emitted>> {
  const sent = new Set<Emitted>();
  const sending = messages.map((message) => producer.emit(message).then(() => sent.add(message)));
  await Promise.race([Promise.allSettled(sending), closed]);
  return sent;
}

describe('faults of daemon and broker', () => {
  it('10,000 repeated messages have one effect through kills of daemon and broker', async () => {
    const people = await Promise.all(
      Array.from({ length: 12 }, (_, i) => signUp(world.daemon().address, `p${i}`)),
    );
    const client = connect(world.daemon().address);
    for (const { token } of people) await deposit(client, token, 100_000_000n);
    client.close();
    const operations = ['deposit', 'withdraw', 'purchase'] as const;
    const model = new Map(people.map(({ id }) => [id, 100_000_000]));
    const unique = Array.from({ length: 10_000 }, (_, i): Emitted => {
      const userId = people[i % people.length]!.id;
      const operation = operations[i % 3]!;
      const cents = (i % 997) + 1;
      model.set(userId, model.get(userId)! + (operation === 'deposit' ? cents : -cents));
      return { userId, operation, amount: (cents / 100).toFixed(2), messageId: randomUUID() };
    });
    const copies = unique.flatMap((message, i) =>
      Array.from({ length: (i % 3) + 1 }, () => ({ ...message })),
    );
    shuffle(copies, createRandom('events-faults', 'order', 0));

    const sending = sendAll(copies);
    for (const fault of ['daemon', 'broker', 'daemon', 'daemon', 'broker', 'daemon', 'daemon']) {
      await sleep(1_200);
      if (fault === 'broker') {
        await broker.kill();
        await broker.start();
      } else {
        await world.kill();
        await world.start(env);
      }
    }
    await sending;
    await waitForQuiet(120_000);
    await waitUntil(
      'all lines',
      async () => (await count('statement', 'statement_lines')) === 10_012,
    );

    const rows = await queryService<{ user_id: string; balance: string }>(
      world.dataDir,
      'wallet',
      'SELECT user_id, balance FROM wallets',
    );
    expect(new Map(rows.map((row) => [row.user_id, Number(row.balance)]))).toEqual(model);
    expect(await count('wallet', 'transactions')).toBe(10_012);
    expect(await count('wallet', 'dead_letters')).toBe(0);
    expect(await count('statement', 'dead_letters')).toBe(0);
    expect(await findFaults(world.dataDir)).toEqual([]);
  }, 400_000);

  it('a memory alarm of the broker fails no call, and the outbox drains after it', async () => {
    const { token } = await signUp(world.daemon().address, 'alarm');
    const client = connect(world.daemon().address);
    const before = await count('wallet', 'transactions');
    await broker.ctl('set_vm_memory_high_watermark', '0.00001');
    await sleep(1_000);
    for (let i = 0; i < 100; i += 1) expect((await deposit(client, token, 1n)).ok).toBe(true);
    await sleep(3_000);
    expect(await count('wallet', 'outbox')).toBeGreaterThan(0);
    await broker.ctl('set_vm_memory_high_watermark', '0.4');
    await waitForQuiet(30_000);
    client.close();
    expect(await count('wallet', 'transactions')).toBe(before + 100);
    expect(await findFaults(world.dataDir)).toEqual([]);
  });

  it('no call fails during 60 s without the broker, and the outbox drains in 30 s', async () => {
    const { token } = await signUp(world.daemon().address, 'outage');
    const client = connect(world.daemon().address);
    await broker.stopApp();
    const endsAt = Date.now() + 60_000;
    const failures: string[] = [];
    let done = 0;
    const load = Array.from({ length: 16 }, async () => {
      while (Date.now() < endsAt) {
        const answer = await deposit(client, token, 1n);
        if (answer.ok) done += 1;
        else failures.push(answer.reason);
        await sleep(10);
      }
    });
    await Promise.all(load);
    client.close();
    expect(failures).toEqual([]);
    expect(done).toBeGreaterThan(10_000);
    await broker.start();
    const backAt = Date.now();
    await waitForQuiet(30_000);
    console.info(
      `${done} calls in 60 s without a broker; drained ${Date.now() - backAt} ms after its return`,
    );
    expect(await findFaults(world.dataDir)).toEqual([]);
  }, 200_000);

  it('two daemons on one database and broker do no transaction twice', async () => {
    const { runtime, owner } = await readUrls(world.dataDir);
    const second = await startWalletd({
      PATH: process.env['PATH'] ?? '',
      ...env,
      WALLETD_LISTEN: '127.0.0.1:0',
      WALLETD_METRICS_LISTEN: 'off',
      WALLETD_HTTP_LISTEN: 'off',
      SELF_SERVICE_OPERATIONS: 'deposit',
      AUTH_SIGNING_KEY_FILE: `${world.dataDir}/signing-key.pem`,
      AUTH_DATABASE_URL: runtime('auth'),
      WALLET_DATABASE_URL: runtime('wallet'),
      STATEMENT_DATABASE_URL: runtime('statement'),
      AUTH_MIGRATION_DATABASE_URL: owner('auth'),
      WALLET_MIGRATION_DATABASE_URL: owner('wallet'),
      STATEMENT_MIGRATION_DATABASE_URL: owner('statement'),
    });
    // Whatever comes, it does not outlive the test.
    onTestFinished(() => second.kill('SIGKILL'));
    const { id, token } = await signUp(world.daemon().address, 'two');
    const clients = [connect(world.daemon().address), connect(second.address)];
    const before = await count('wallet', 'transactions');
    const messages = Array.from({ length: 500 }, (): Emitted => {
      return { userId: id, operation: 'deposit', amount: '1.00', messageId: randomUUID() };
    });
    const sending = sendAll([...messages, ...messages.map((message) => ({ ...message }))]);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => deposit(clients[i % 2]!, token, 100n)),
    );
    expect(answers.filter((answer) => !answer.ok)).toEqual([]);
    await sending;
    await waitForQuiet(60_000);
    clients.forEach((client) => client.close());
    second.kill('SIGTERM');
    expect(await second.exited).toBe(0);
    expect(await count('wallet', 'transactions')).toBe(before + 700);
    expect(await findFaults(world.dataDir)).toEqual([]);
  }, 120_000);
});
