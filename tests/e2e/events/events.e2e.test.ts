import { randomUUID } from 'node:crypto';

import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import { run } from '../../../scripts/product.ts';
import { findFaults, queryService, waitUntil } from '../../support/ledger/ledger.ts';
import { createProducer, signUp, toBody, type Producer } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { createWorld, type Person, type World } from '../../support/processes/world.ts';

type Heard = {
  pattern: string;
  data: {
    userId: string;
    messageId?: string;
    reason?: string;
    transaction?: { id: string; balanceAfter: string; operation: string; direction: string };
  };
};

let broker: RabbitMq;
let url: string;
let world: World;
let producer: Producer;
let olga: Person;

beforeAll(async () => {
  broker = await startRabbitMq();
  url = broker.url(await broker.createVhost());
  world = await createWorld();
  await world.start({ RABBITMQ_URL: url });
  producer = await createProducer(url);
  olga = await world.staff('olga', 'operator');
});

afterAll(async () => {
  await producer.close();
  await world.dispose();
  await broker.dispose();
});

const balanceOf = async (userId: string): Promise<string> => {
  const { balance } = await olga.json<{ balance: string }>(['balance', '--user', userId]);
  return balance;
};

const waitForBalance = (userId: string, balance: string) =>
  waitUntil(`a balance of ${balance}`, async () => (await balanceOf(userId)) === balance, 20_000);

describe('messages in and out', () => {
  it('an amqplib producer moves the money, and a listener receives the event', async () => {
    const ana = await signUp(world.daemon().address, 'ana');
    const connection = await connect(url);
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, 'wallet.events', 'transaction.*');
    const heard: Heard[] = [];
    await channel.consume(queue, (message) => {
      if (message) heard.push(JSON.parse(message.content.toString()) as Heard);
    });
    await producer.emit({ userId: ana.id, operation: 'deposit', amount: '150.00' });
    await producer.emit({ userId: ana.id, operation: 2, amount: 35.5, merchant: 'Bookshop' });
    const refused = await producer.emit({ userId: ana.id, operation: 1, amount: '1000' });
    await waitUntil('three events', () => Promise.resolve(heard.length === 3), 20_000);
    await connection.close();
    expect(heard.map((event) => event.pattern)).toEqual([
      'transaction_created',
      'transaction_created',
      'transaction_rejected',
    ]);
    expect(heard[1]?.data.transaction).toMatchObject({
      operation: 'purchase',
      direction: 'debit',
      balanceAfter: '114.50',
    });
    expect(heard[2]?.data).toMatchObject({ messageId: refused, reason: 'INSUFFICIENT_FUNDS' });
    expect(await balanceOf(ana.id)).toBe('114.50');
    const statement = await olga.json(['statement', 'show', '--user', ana.id]);
    expect(statement).toMatchObject({ status: 'complete', statement: { closing: '114.50' } });
  });

  it('a pika producer moves the money through the exchange wallet.commands', async () => {
    const bia = await signUp(world.daemon().address, 'bia');
    const script = [
      'import pika, sys',
      'c = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))',
      'ch = c.channel()',
      'ch.confirm_delivery()',
      'p = pika.BasicProperties(message_id=sys.argv[2], delivery_mode=2)',
      "x, key = 'wallet.commands', 'transaction_emitted'",
      'ch.basic_publish(x, key, sys.argv[3].encode(), p, mandatory=True)',
      'c.close()',
    ].join('\n');
    const body = toBody({ userId: bia.id, operation: 'deposit', amount: '12.34' });
    const args = ['-c', script, url, randomUUID(), body];
    const sent = await run('/usr/bin/python3', args, { env: {} });
    expect(sent).toMatchObject({ code: 0 });
    await waitForBalance(bia.id, '12.34');
  });

  it('a repeated message has one effect, and a rejected one stays rejected', async () => {
    const caio = await signUp(world.daemon().address, 'caio');
    const messageId = randomUUID();
    const again = { userId: caio.id, operation: 'deposit', amount: '5.00', messageId };
    for (let i = 0; i < 20; i += 1) await producer.emit(again);
    const refused = {
      userId: caio.id,
      operation: 'withdraw',
      amount: '9.00',
      messageId: randomUUID(),
    };
    await producer.emit(refused);
    await waitForBalance(caio.id, '5.00');
    await producer.emit({ userId: caio.id, operation: 'deposit', amount: '50.00' });
    // There would be funds now; the message has had its answer.
    await producer.emit(refused);
    await producer.emit({ userId: caio.id, operation: 'deposit', amount: '0.01' });
    await waitForBalance(caio.id, '55.01');
    const kept = await queryService(
      world.dataDir,
      'wallet',
      'SELECT 1 FROM inbox WHERE message_id = $1',
      [refused.messageId],
    );
    expect(kept).toHaveLength(1);
  });

  it('purchases and their cancellations are handled in the order of the messages', async () => {
    const davi = await signUp(world.daemon().address, 'davi');
    const wallet = walletIdOf(davi.id, 'BRL');
    const deposit = { userId: davi.id, operation: 0, amount: '4.00', messageId: 'davi 0' };
    // Each purchase takes all that there is: it has funds only after the cancellation before it.
    const pairs = Array.from({ length: 20 }, (_, i) => {
      const messageId = `davi purchase ${i}`;
      const id = transactionIdOf(wallet, 'message', messageId);
      return [
        { userId: davi.id, operation: 2, amount: '4.00', messageId },
        { userId: davi.id, operation: 4, id, messageId: `davi cancellation ${i}` },
      ];
    });
    const sent = [deposit, ...pairs.flat()];
    await Promise.all(sent.map((fields) => producer.emit(fields)));
    const entries = () =>
      queryService<{ id: string }>(
        world.dataDir,
        'wallet',
        'SELECT id FROM transactions WHERE wallet_id = $1 ORDER BY seq',
        [wallet],
      );
    await waitUntil('all entries', async () => (await entries()).length === sent.length, 20_000);
    expect((await entries()).map(({ id }) => id)).toEqual(
      sent.map(({ messageId }) => transactionIdOf(wallet, 'message', messageId)),
    );
    expect(await balanceOf(davi.id)).toBe('4.00');
  });
});

describe('undo directly after its parent', () => {
  it('an undo that directly follows its parent finds the wallet, in another currency', async () => {
    const flor = await signUp(world.daemon().address, 'flor');
    const wallet = walletIdOf(flor.id, 'JPY');
    const yen = { userId: flor.id, currency: 'JPY' };
    await Promise.all([
      producer.emit({ ...yen, operation: 'deposit', amount: 900 }),
      producer.emit({ ...yen, operation: 'purchase', amount: 400, messageId: 'to be undone' }),
      producer.emit({
        userId: flor.id,
        operation: 'cancellation',
        id: transactionIdOf(wallet, 'message', 'to be undone'),
      }),
    ]);
    const lines = () =>
      queryService<{ balance_after: string }>(
        world.dataDir,
        'wallet',
        'SELECT balance_after FROM transactions WHERE wallet_id = $1 ORDER BY seq',
        [wallet],
      );
    await waitUntil('three entries', async () => (await lines()).length === 3, 20_000);
    expect((await lines()).map((line) => line.balance_after)).toEqual(['900', '500', '900']);
  });
});

describe('poison messages', () => {
  it('100 poison messages among 1,000 good ones become dead letters', async () => {
    const eva = await signUp(world.daemon().address, 'eva');
    const good = { userId: eva.id, operation: 'deposit', amount: '1.00' };
    const body = (change: object) =>
      JSON.stringify({ ...(JSON.parse(toBody(good)) as object), ...change });
    const data = (change: object) =>
      body({ data: { userId: eva.id, transaction: { operation: 0, amount: '1' }, ...change } });
    const transaction = (change: object) =>
      data({ transaction: { operation: 0, amount: '1.00', ...change } });
    const kinds: readonly [string, string, string, boolean?][] = [
      ['{"pattern": "transaction_emi', 'NOT_JSON', 'body'],
      [body({ pattern: 'transaction_imagined' }), 'UNKNOWN_PATTERN', 'pattern'],
      [data({ userId: 'no-uuid' }), 'INVALID_FIELD', 'data.userId'],
      [data({ userId: randomUUID() }), 'USER_NOT_FOUND', 'data.userId'],
      [transaction({ operation: 9 }), 'INVALID_FIELD', 'data.transaction.operation'],
      [transaction({ amount: '1.999' }), 'AMOUNT_INVALID', 'data.transaction.amount'],
      [transaction({ merchant: 'Shop' }), 'INVALID_FIELD', 'data.transaction.merchant'],
      [transaction({ currency: 'XYZ' }), 'CURRENCY_UNKNOWN', 'data.transaction.currency'],
      [transaction({ id: randomUUID() }), 'INVALID_FIELD', 'data.transaction.id'],
      [toBody(good), 'MESSAGE_ID_MISSING', 'messageId', true],
    ];
    const sends: Promise<unknown>[] = [];
    for (let i = 0; i < 1_000; i += 1) {
      sends.push(producer.emit({ ...good, amount: `${i + 1}.00` }));
      const kind = kinds[(i / 10) % 10];
      if (i % 10 !== 0 || !kind) continue;
      const [text, , , hasNoName] = kind;
      sends.push(producer.send(text, hasNoName ? {} : { messageId: `poison ${i}` }));
    }
    await Promise.all(sends);
    await waitForBalance(eva.id, '500500.00');
    const list = ['dead-letters', 'list', '--all'];
    type Letters = { items: { id: string; reason: string; field?: string; messageId?: string }[] };
    const pending = async () => (await olga.json<Letters>(list)).items;
    await waitUntil('100 dead letters', async () => (await pending()).length === 100, 20_000);
    const letters = await pending();
    for (const [, reason, field] of kinds) {
      expect(letters.filter((l) => l.reason === reason && l.field === field)).toHaveLength(10);
    }
    const rows = await queryService<{ amount: string }>(
      world.dataDir,
      'wallet',
      'SELECT t.amount FROM transactions t JOIN wallets w ON w.id = t.wallet_id ' +
        'WHERE w.user_id = $1 ORDER BY t.seq',
      [eva.id],
    );
    expect(rows.map((row) => Number(row.amount))).toEqual(
      Array.from({ length: 1_000 }, (_, i) => (i + 1) * 100),
    );

    const unnamed = letters.find((letter) => letter.reason === 'MESSAGE_ID_MISSING');
    const broken = letters.find((letter) => letter.reason === 'NOT_JSON');
    const replay = (id: string, ...more: string[]) =>
      olga.run(['dead-letters', 'replay', id, '--yes', '--json', '--quiet', ...more]);
    expect((await replay(unnamed?.id ?? '')).code).toBe(2);
    expect(await replay(unnamed?.id ?? '', '--message-id', 'given later')).toMatchObject({
      code: 0,
    });
    expect((await replay(broken?.id ?? '')).code).toBe(2);
    const repaired = [
      'dead-letters',
      'replay',
      broken?.id ?? '',
      '--yes',
      '--body',
      '-',
      '--quiet',
    ];
    expect(await olga.run(repaired, toBody(good))).toMatchObject({ code: 0 });
    await waitForBalance(eva.id, '500502.00');
    expect((await replay(unnamed?.id ?? '', '--message-id', 'given later')).code).toBe(6);
    const second = await olga.run(repaired, toBody(good));
    expect(second.code).toBe(6);
    expect(await balanceOf(eva.id)).toBe('500502.00');
    const audited = await queryService<{ action: string; actor: string }>(
      world.dataDir,
      'wallet',
      `SELECT action, actor FROM audit_log WHERE action LIKE 'dead_letter.%'`,
    );
    expect(audited).toEqual([
      { action: 'dead_letter.replay', actor: olga.id },
      { action: 'dead_letter.replay', actor: olga.id },
    ]);
    expect(await findFaults(world.dataDir)).toEqual([]);
  });
});
