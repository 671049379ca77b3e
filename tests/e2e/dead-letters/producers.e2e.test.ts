import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { queryService, waitUntil } from '../../support/ledger/ledger.ts';
import { createProducer, signUp, toBody, type Producer } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { createWorld, type Person, type World } from '../../support/processes/world.ts';

let broker: RabbitMq;
let world: World;
let shop: Producer;
let olga: Person;
let url: string;

beforeAll(async () => {
  broker = await startRabbitMq();
  const vhost = await broker.createVhost();
  await broker.ctl('add_user', 'shop', 'the password of the shop');
  await broker.ctl('set_permissions', '-p', vhost, 'shop', '.*', '.*', '.*');
  url = broker.url(vhost);
  world = await createWorld();
  // Withdrawals are not allowed yet: such messages become dead letters.
  await world.start({ RABBITMQ_URL: url, AMQP_OPERATIONS: 'deposit' });
  const asShop = new URL(url);
  asShop.username = 'shop';
  asShop.password = encodeURIComponent('the password of the shop');
  shop = await createProducer(asShop.href);
  olga = await world.staff('olga', 'operator');
});

afterAll(async () => {
  await shop.close();
  await world.dispose();
  await broker.dispose();
});

type Letter = { id: string; user_id: string | null };
const letterOf = async (messageId: string): Promise<Letter | undefined> => {
  const text = 'SELECT id, user_id FROM dead_letters WHERE message_id = $1';
  return (await queryService<Letter>(world.dataDir, 'wallet', text, [messageId]))[0];
};

it('an unchanged replay has the producer as actor, as the broker validated it', async () => {
  const ana = await signUp(world.daemon().address, 'ana');
  await shop.emit({ userId: ana.id, operation: 'deposit', amount: '9.00' });
  const body = toBody({ userId: ana.id, operation: 'withdraw', amount: '1.00' });
  const send = (messageId: string, properties: object): Promise<void> =>
    new Promise((resolve, reject) => {
      const options = { persistent: true, messageId, ...properties };
      shop.channel.sendToQueue('wallet_queue', Buffer.from(body), options, (err: unknown) => {
        if (err) reject(new Error('not confirmed'));
        else resolve();
      });
    });
  const ids = { named: randomUUID(), unnamed: randomUUID(), pretended: randomUUID() };
  await send(ids.named, { userId: 'shop' });
  await send(ids.unnamed, {});
  // A header that says what only our own connection may say.
  await send(ids.pretended, {
    userId: 'shop',
    headers: { 'x-producer-user-id': 'root', 'x-reason': 'UNKNOWN' },
  });
  const found = async () => Promise.all(Object.values(ids).map(letterOf));
  await waitUntil('three letters', async () => !(await found()).includes(undefined));
  const letters = await found();
  expect(letters.map((letter) => letter?.user_id)).toEqual(['shop', null, 'shop']);
  await world.stop();
  await world.start({ RABBITMQ_URL: url });
  for (const letter of letters) {
    const done = await olga.run(['dead-letters', 'replay', letter?.id ?? '', '--yes', '--json']);
    expect(done).toMatchObject({ code: 0 });
  }
  const rows = await queryService<{ actor: string }>(
    world.dataDir,
    'wallet',
    'SELECT actor FROM transactions WHERE wallet_id = $1 AND operation = 2 ORDER BY seq',
    [walletIdOf(ana.id, 'BRL')],
  );
  expect(rows.map(({ actor }) => actor)).toEqual(['shop', 'amqp', 'shop']);
});

it('a message published directly to the dead-letter queue claims no other producer', async () => {
  const messageId = randomUUID();
  shop.channel.sendToQueue('wallet_queue.dead', Buffer.from('x'), {
    messageId,
    userId: 'shop',
    headers: { 'x-producer-user-id': 'root', 'x-reason': 'UNKNOWN' },
  });
  await waitUntil('the letter', async () => (await letterOf(messageId)) !== undefined);
  expect((await letterOf(messageId))?.user_id).toBe('shop');
});
