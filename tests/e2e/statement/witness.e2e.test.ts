import { randomUUID } from 'node:crypto';

import { connect as connectAmqp } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { chainHash, type ChainedFields } from '../../../core/chain.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { formatMinor } from '../../../core/money.ts';
import {
  GenerateStatementRequest,
  StatementServiceService,
  StatementStatus,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { findFreePort } from '../../support/free-port.ts';
import { connect, item } from '../../support/grpc/client.ts';
import { queryService, waitUntil } from '../../support/ledger/ledger.ts';
import { signUp } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { createWorld, type Person, type World } from '../../support/processes/world.ts';

const metricsListen = `127.0.0.1:${await findFreePort()}`;
let broker: RabbitMq;
let amqpUrl: string;
let env: Record<string, string>;
let world: World;

beforeAll(async () => {
  broker = await startRabbitMq();
  amqpUrl = broker.url(await broker.createVhost());
  env = { RABBITMQ_URL: amqpUrl, WALLETD_METRICS_LISTEN: metricsListen };
  world = await createWorld();
  await world.start(env);
});
afterAll(async () => {
  await world.dispose();
  await broker.dispose();
});

const query = (service: string, text: string, values: unknown[] = []) =>
  queryService<Record<string, string>>(world.dataDir, service, text, values);

const walletOf = (person: Person): string => walletIdOf(person.id, 'BRL');

async function deposit(person: Person, amount: string): Promise<void> {
  await person.json(['deposit', amount, '--yes']);
}

const untilProjected = (walletId: string, seq: number) =>
  waitUntil(
    `line ${seq}`,
    async () => {
      const lines = 'SELECT 1 FROM statement_lines WHERE wallet_id = $1 AND seq = $2';
      return (await query('statement', lines, [walletId, seq])).length > 0;
    },
    30_000,
  );

type Shown = { status: string; statement: { closing: string; inconsistency?: string } };

async function show(person: Person, args: readonly string[] = []) {
  const { code, stdout, stderr } = await person.run(['statement', 'show', '--json', ...args]);
  return { code, stderr, ...(JSON.parse(stdout) as Shown) };
}

const read = async (path: string): Promise<string> =>
  (await fetch(`http://${metricsListen}/${path}`)).text();

const untilReady = (isClear: boolean) =>
  waitUntil(
    isClear ? '/readyz without trouble' : '/readyz with divergences',
    async () => (await read('readyz')).includes('contradict') !== isClear,
    15_000,
  );

async function rebuild(walletId: string): Promise<void> {
  const done = await world.walletd(['statements', 'rebuild', '--wallet', walletId]);
  expect(done.code, done.stderr).toBe(0);
}

/** Publishes a `transaction_created` without a transaction. */
async function forge(person: Person, fields: ChainedFields, previousHash: string): Promise<void> {
  const { id, operation, contraAccount, source, actor } = fields;
  const transaction = {
    ...{ id, operation, contraAccount, source, actor, previousHash },
    seq: Number(fields.seq),
    amount: formatMinor(fields.amountMinor, 2),
    direction: 'credit',
    balanceAfter: formatMinor(fields.balanceAfterMinor, 2),
    occurredAt: new Date(fields.occurredAtMs).toISOString(),
    hash: chainHash(previousHash, fields),
  };
  const data = { userId: person.id, walletId: walletOf(person), currency: 'BRL', transaction };
  const connection = await connectAmqp(amqpUrl);
  const channel = await connection.createConfirmChannel();
  const body = Buffer.from(JSON.stringify({ pattern: 'transaction_created', data }));
  channel.publish('wallet.bundles', 'transaction.created', body, { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
}

const forgery = (seq: bigint, actor: string): ChainedFields => ({
  ...{ id: randomUUID(), seq, operation: 'deposit', amountMinor: 99_900n },
  ...{ balanceAfterMinor: 105_900n, contraAccount: 'external:cash', parentId: undefined },
  ...{
    source: 'grpc',
    actor,
    description: undefined,
    metadata: {},
    more: undefined,
    occurredAtMs: Date.now(),
  },
});

async function lastHash(walletId: string): Promise<string> {
  const text = "SELECT encode(last_hash, 'hex') AS hash FROM wallets WHERE id = $1";
  return (await query('wallet', text, [walletId]))[0]?.['hash'] ?? '';
}

describe('forged events', () => {
  it('a well-formed forged event makes a statement inconsistent until a rebuild', async () => {
    const ana = await world.customer('ana');
    await deposit(ana, '60.00');
    const walletId = walletOf(ana);
    await untilProjected(walletId, 1);
    expect(await show(ana)).toMatchObject({ code: 0, status: 'complete' });
    await forge(ana, forgery(2n, ana.id), await lastHash(walletId));
    await untilProjected(walletId, 2);
    const shown = await show(ana);
    expect(shown).toMatchObject({ code: 10, status: 'inconsistent' });
    expect(shown.stderr).toContain(`walletd statements rebuild --wallet ${walletId}`);
    await untilReady(false);
    expect(await read('metrics')).toMatch(/^walletd_statement_divergences_total [1-9]/m);
    const exported = await ana.run(['statement', 'export', '--from', '2026-01-01']);
    expect(exported.code, exported.stderr).toBe(10);
    expect(exported.stderr).toContain('inconsistent');
    await rebuild(walletId);
    await untilReady(true);
    expect(await show(ana)).toMatchObject({
      ...{ code: 0, status: 'complete' },
      statement: { closing: '60.00' },
    });
    const kept = 'SELECT resolved_by FROM divergences WHERE wallet_id = $1';
    expect(await query('statement', kept, [walletId])).toEqual([{ resolved_by: 'host' }]);
  });

  it('a forged event for a known line changes no line, and is reported until a rebuild', async () => {
    const bia = await world.customer('bia');
    await deposit(bia, '60.00');
    const walletId = walletOf(bia);
    await untilProjected(walletId, 1);
    const lines = 'SELECT * FROM statement_lines WHERE wallet_id = $1';
    const before = await query('statement', lines, [walletId]);
    expect(before).toMatchObject([{ seq: '1', amount: '6000' }]);
    const other = forgery(1n, bia.id);
    await forge(bia, other, 'ab'.repeat(32));
    const found = 'SELECT kind FROM divergences WHERE wallet_id = $1 AND resolved_at IS NULL';
    await waitUntil(
      'a divergence',
      async () => (await query('statement', found, [walletId])).length === 1,
      30_000,
    );
    expect(await show(bia)).toMatchObject({ code: 10, status: 'inconsistent' });
    expect(await query('statement', lines, [walletId])).toEqual(before);
    await rebuild(walletId);
    expect(await query('statement', lines, [walletId])).toEqual(before);
    expect(await show(bia)).toMatchObject({ code: 0, status: 'complete' });
  });
});

describe('restored wallet database', () => {
  it('a restored wallet database is detected, and lines are corrected by a rebuild', async () => {
    const eva = await world.customer('eva');
    const walletId = walletOf(eva);
    for (const amount of ['10.00', '20.00', '30.00', '40.00']) await deposit(eva, amount);
    await untilProjected(walletId, 4);
    // As a restore leaves it: the newest two are gone.
    await query('wallet', 'DELETE FROM transactions WHERE wallet_id = $1 AND seq > 2', [walletId]);
    await query(
      'wallet',
      `UPDATE wallets w SET seq = t.seq, balance = t.balance_after, last_hash = t.hash
       FROM transactions t WHERE w.id = $1 AND t.wallet_id = w.id AND t.seq = 2`,
      [walletId],
    );
    await world.stop();
    await world.start(env);
    expect(await show(eva)).toMatchObject({ code: 10, status: 'inconsistent' });
    await rebuild(walletId);
    expect(await show(eva)).toMatchObject({ code: 0, statement: { closing: '30.00' } });
    // Lines of before the restore again, as if no rebuild had been.
    for (const amount of ['1.00', '2.00']) await deposit(eva, amount);
    await untilProjected(walletId, 4);
    await query('wallet', 'DELETE FROM transactions WHERE wallet_id = $1 AND seq > 2', [walletId]);
    await query(
      'wallet',
      `UPDATE wallets w SET seq = t.seq, balance = t.balance_after, last_hash = t.hash
       FROM transactions t WHERE w.id = $1 AND t.wallet_id = w.id AND t.seq = 2`,
      [walletId],
    );
    await world.stop();
    await world.start(env);
    for (const amount of ['5.00', '6.00', '7.00']) await deposit(eva, amount);
    await untilProjected(walletId, 5);
    expect(await show(eva)).toMatchObject({ code: 10, status: 'inconsistent' });
    await untilReady(false);
    const kinds = `SELECT DISTINCT kind FROM divergences
      WHERE wallet_id = $1 AND resolved_at IS NULL ORDER BY kind`;
    expect(await query('statement', kinds, [walletId])).toEqual([
      { kind: 'broken_link' },
      { kind: 'other_hash' },
    ]);
    await rebuild(walletId);
    await untilReady(true);
    expect(await show(eva)).toMatchObject({
      ...{ code: 0, status: 'complete' },
      statement: { closing: '48.00' },
    });
  });
});

describe('edited lines', () => {
  it.each([
    ['an amount', 'amount = amount + 1, balance_after = balance_after + 1'],
    ['a text', "description = 'x'"],
    ['an actor', "actor = 'x'"],
    ['a hash', "hash = decode(repeat('ab', 32), 'hex')"],
  ])('an edited line (%s) makes a statement inconsistent until a rebuild', async (what, change) => {
    const zoe = await world.customer(`zoe-${what.replace(' ', '-')}`);
    const walletId = walletOf(zoe);
    for (const amount of ['10.00', '20.00', '30.00']) await deposit(zoe, amount);
    await untilProjected(walletId, 3);
    expect(await show(zoe)).toMatchObject({ code: 0, status: 'complete' });
    const text = `UPDATE statement_lines SET ${change} WHERE wallet_id = $1 AND seq = 2`;
    await query('statement', text, [walletId]);
    expect(await show(zoe)).toMatchObject({ code: 10, status: 'inconsistent' });
    await rebuild(walletId);
    expect(await show(zoe)).toMatchObject({ code: 0, status: 'complete' });
  });
});

it('a line that is edited again after its repair is reported again', async () => {
  const ben = await world.customer('ben');
  const walletId = walletOf(ben);
  await deposit(ben, '10.00');
  await untilProjected(walletId, 1);
  for (let i = 0; i < 2; i += 1) {
    const edit = "UPDATE statement_lines SET description = 'x' WHERE wallet_id = $1";
    await query('statement', edit, [walletId]);
    // Statements within 5 seconds of a repair open nothing.
    const text = 'SELECT 1 FROM divergences WHERE wallet_id = $1 AND resolved_at IS NULL';
    await waitUntil('a divergence', async () => {
      expect(await show(ben)).toMatchObject({ code: 10, status: 'inconsistent' });
      return (await query('statement', text, [walletId])).length > 0;
    });
    await untilReady(false);
    await rebuild(walletId);
    await untilReady(true);
  }
});

it('statements beside concurrent deposits are never inconsistent', async () => {
  const rio = await signUp(world.daemon().address, 'rio');
  const client = connect(world.daemon().address);
  let isDone = false;
  const statuses: StatementStatus[] = [];
  const depositAll = async (): Promise<void> => {
    // Until enough statements were read beside them, however slow those are.
    for (let i = 0; i < 150 || statuses.length <= 20; i += 1) {
      const wanted = item({ operation: Operation.DEPOSIT, amountMinor: 100n });
      const request = { item: wanted, dryRun: false };
      const answer = await client.call(WalletServiceService.createTransaction, request, rio.token);
      expect(answer.ok).toBe(true);
    }
  };
  const ask = async (): Promise<void> => {
    const request = GenerateStatementRequest.fromPartial({ pageSize: 10, descending: true });
    while (!isDone) {
      const answer = await client.call(
        StatementServiceService.generateStatement,
        request,
        rio.token,
      );
      if (answer.ok) statuses.push(answer.value.status);
    }
  };
  const asking = [ask(), ask()];
  await Promise.all([depositAll(), depositAll(), depositAll()]);
  isDone = true;
  await Promise.all(asking);
  client.close();
  expect(statuses.length).toBeGreaterThan(20);
  expect(statuses.filter((status) => status === StatementStatus.INCONSISTENT)).toEqual([]);
  const found = 'SELECT 1 FROM divergences WHERE wallet_id = $1';
  expect(await query('statement', found, [walletIdOf(rio.id, 'BRL')])).toEqual([]);
});
