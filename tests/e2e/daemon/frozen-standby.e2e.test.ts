import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Daemon } from '../../../scripts/product.ts';
import { connect, item, type Connection } from '../../support/grpc/client.ts';
import { findLedgerFaults } from '../../support/ledger/faults.ts';
import { waitUntil } from '../../support/ledger/ledger.ts';
import { findFreePort } from '../../support/free-port.ts';
import { startPostgres, type PostgresServer } from '../../support/postgres/server.ts';
import { createProducer, signUp, type Producer } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { createServerWorld, type ServerWorld } from '../../support/processes/server-world.ts';
import { openStream, outcomeOf } from '../../support/grpc/stream.ts';
import { expectCode, signInAs, type Person } from '../../support/processes/world.ts';

type User = { readonly id: string; readonly token: string };
/** What a client saw: the answer, and how long after it had sent. */
type Seen = { readonly key: string; readonly user: User; readonly answer: string; ms: number };

let server: PostgresServer;
let standby: PostgresServer;
let broker: RabbitMq;
let vhost: string;
let world: ServerWorld;
let daemon: Daemon;
let producer: Producer;
let connection: Connection;
let users: User[];
let database: pg.Pool;
let metrics: string;
let home: string;
let person: Person;

beforeAll(async () => {
  server = await startPostgres();
  broker = await startRabbitMq();
  vhost = await broker.createVhost();
  world = await createServerWorld(server);
  expectCode(await world.walletd(['migrate']), 0);
  metrics = `127.0.0.1:${await findFreePort()}`;
  const env = { RABBITMQ_URL: broker.url(vhost), WALLETD_METRICS_LISTEN: metrics };
  daemon = await world.start(env);
  connection = connect(daemon.address);
  producer = await createProducer(broker.url(vhost));
  users = [];
  for (let i = 0; i < 15; i += 1) users.push(await signUp(daemon.address, `user${i}`));
  for (const user of users) expect(await deposit(user, randomUUID())).toBe('done');
  home = await mkdtemp(join(tmpdir(), 'dw-home-'));
  const cli = { PATH: process.env['PATH'] ?? '', HOME: home, TZ: 'UTC' };
  person = await signInAs('user0@example.com', cli, () => ({ WALLET_SERVER: daemon.address }));
  standby = await server.startStandby();
  await server.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
  await server.query('SELECT pg_reload_conf()');
  await waitUntil('the standby is synchronous', async () => {
    const rows = await server.query(
      'SELECT 1 FROM pg_stat_replication WHERE sync_state = $$sync$$',
    );
    return rows.length === 1;
  });
  database = new pg.Pool({ connectionString: server.url({ database: 'wallet' }), max: 1 });
  database.on('error', () => undefined);
}, 180_000);

afterAll(async () => {
  standby.thaw();
  await database.end();
  connection.close();
  await producer.close();
  await world.dispose();
  await broker.dispose();
  await standby.stop();
  await server.stop();
  await rm(home, { recursive: true });
});

const itemOf = (key: string) =>
  item({ currency: 'BRL', operation: Operation.DEPOSIT, amountMinor: 100n, idempotencyKey: key });

async function deposit(user: User, key: string, timeoutMs?: number): Promise<string> {
  const request = { item: itemOf(key), dryRun: false };
  const method = WalletServiceService.createTransaction;
  const answer = await connection.call(method, request, user.token, timeoutMs);
  if (!answer.ok) return answer.reason;
  return answer.value.replayed ? 'replayed' : 'done';
}

async function callUnary(user: User, timeoutMs?: number): Promise<Seen> {
  const key = randomUUID();
  const sentMs = performance.now();
  const answer = await deposit(user, key, timeoutMs);
  return { key, user, answer, ms: performance.now() - sentMs };
}

async function callStream(user: User): Promise<Seen> {
  const key = randomUUID();
  const sentMs = performance.now();
  const stream = openStream(daemon.address, user.token);
  stream.send([itemOf(key)]);
  await stream.waitFor(1);
  const ms = performance.now() - sentMs;
  const [result] = stream.results;
  stream.close();
  return { key, user, answer: result ? outcomeOf(result) : 'nothing', ms };
}

const query = async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
  (await database.query<Row>(text, values)).rows;

async function countUnacknowledged(): Promise<number> {
  const args = ['list_queues', '-p', vhost, 'name', 'messages_unacknowledged'];
  const listed = await broker.ctl(...args, '--no-table-headers');
  return Number(/^wallet_queue\t(\d+)/m.exec(listed)?.[1]);
}

async function countBackends(): Promise<number> {
  const [row] = await query<{ n: number }>(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'wallet_app'",
  );
  return row?.n ?? 0;
}

async function readPage(path: string): Promise<string> {
  const answer = await fetch(`http://${metrics}${path}`);
  return answer.text();
}

async function readBalance(user: User): Promise<bigint | undefined> {
  const request = { userId: '', currency: 'BRL' };
  const answer = await connection.call(WalletServiceService.getBalance, request, user.token);
  return answer.ok ? answer.value.wallet?.balanceMinor : undefined;
}

const seqOf = async (user: User): Promise<number> => {
  const id = walletIdOf(user.id, 'BRL');
  const [row] = await query<{ seq: string }>('SELECT seq FROM wallets WHERE id = $1', [id]);
  return Number(row?.seq);
};

/** An answer in time, as docs/operations.md says, and some time for a loaded machine. */
const streamMs = 30_000 + 3_000;

it('calls beside a frozen synchronous standby are answered in time, and done once', async () => {
  const [byCli, first, second, third, brief, emitted, emittedLater, ...streaming] = users;
  if (!byCli || !first || !second || !third || !brief || !emitted || !emittedLater) {
    throw new Error('there are too few users');
  }
  const [streamed, ...streamedLater] = streaming;
  if (!streamed) throw new Error('there are too few users');
  standby.freeze();
  // Before all others: its COMMIT is the first one, and hangs.
  const streams = [callStream(streamed)];
  await waitUntil('a commit waits for the standby', async () => {
    const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    return (await query(waiting)).length > 0;
  });
  const command = ['deposit', '1.00', '--currency', 'BRL', '--yes', '--timeout', '5s'];
  const ran = person.run(command);
  const unary = [callUnary(first), callUnary(brief, 4_000)];
  const message = await producer.emit({ userId: emitted.id, operation: 'deposit', amount: '1.00' });
  // Behind commits that hang: as many as may be under way do.
  for (const user of streamedLater) {
    await sleep(1_000);
    streams.push(callStream(user));
  }
  unary.push(callUnary(second), callUnary(third));
  const later = await producer.emit({ userId: emittedLater.id, operation: 'deposit', amount: '1' });

  expectCode(await ran, 9);
  expect(await readBalance(first)).toBe(100n);
  const seen = { unary: await Promise.all(unary), streams: await Promise.all(streams) };
  expect(await countUnacknowledged()).toBe(2);
  const readiness = await readPage('/readyz');
  expect(readiness).toMatch(/^ready, degraded/);
  // Which attempt failed last decides the words: at the COMMIT, or on the way to it.
  const reason = /^consumer\.wallet_queue: stalled for \d+ s: .*waits: the database (did|is|was)/m;
  expect(readiness).toMatch(reason);
  const stalled = /^walletd_stalled\{part="consumer.wallet_queue"\} 1$/m;
  expect(await readPage('/metrics')).toMatch(stalled);
  const backends = await countBackends();
  for (const { answer, ms } of seen.streams) {
    expect(['OUTCOME_UNKNOWN', 'DATABASE_UNAVAILABLE']).toContain(answer);
    expect(ms).toBeLessThan(streamMs);
  }
  expect(seen.streams[0]?.answer).toBe('OUTCOME_UNKNOWN');
  const [plain, short, ...others] = seen.unary;
  // With a deadline of its own, the client library says so before the daemon does.
  expect(short?.answer).toMatch(/^(OUTCOME_UNKNOWN|DEADLINE_EXCEEDED|code 4)/);
  for (const { answer } of [plain, ...others].filter((one) => one !== undefined)) {
    expect(['OUTCOME_UNKNOWN', 'DATABASE_UNAVAILABLE', 'DEADLINE_EXCEEDED']).toContain(answer);
  }
  // What it may open for this service, and no more.
  expect(backends).toBeLessThanOrEqual(10 + 6);

  standby.thaw();
  for (const { key, user } of [...seen.unary, ...seen.streams]) {
    await waitUntil('an answer of the ledger', async () =>
      ['done', 'replayed'].includes(await deposit(user, key, 10_000)),
    );
    expect(await deposit(user, key)).toBe('replayed');
    expect(await seqOf(user)).toBe(2);
  }
  // The same command goes on under its key, whether the first one was begun or not.
  expectCode(await person.run(command.slice(0, -2)), 0);
  expect(await seqOf(byCli)).toBe(2);
  for (const user of [emitted, emittedLater]) {
    await waitUntil('its message is done', async () => (await seqOf(user)) === 2);
  }
  await waitUntil('the messages are acknowledged', async () => (await countUnacknowledged()) === 0);
  expect(await query('SELECT 1 FROM dead_letters')).toEqual([]);
  const emittedIds = [
    transactionIdOf(walletIdOf(emitted.id, 'BRL'), 'message', message),
    transactionIdOf(walletIdOf(emittedLater.id, 'BRL'), 'message', later),
  ];
  const found = await query('SELECT 1 FROM transactions WHERE id = ANY($1)', [emittedIds]);
  expect(found).toHaveLength(2);
  expect(await findLedgerFaults({ query })).toEqual([]);
}, 240_000);
