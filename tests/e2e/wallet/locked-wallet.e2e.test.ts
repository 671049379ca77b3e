import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { findFaults, queryService, readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import { holdWallet } from '../../support/postgres/hold-lock.ts';
import { createProducer, signUp, type Producer } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { createWorld, expectCode, type Person, type World } from '../../support/processes/world.ts';

let broker: RabbitMq;
let url: string;
let world: World;
let producer: Producer;
let olga: Person;
let stuck: { id: string };
let others: { id: string }[];

beforeAll(async () => {
  broker = await startRabbitMq();
  url = broker.url(await broker.createVhost());
  world = await createWorld();
  await world.start({ RABBITMQ_URL: url });
  producer = await createProducer(url);
  olga = await world.staff('olga', 'operator');
  const { address } = world.daemon();
  stuck = await signUp(address, 'stuck');
  others = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => signUp(address, name)));
  for (const { id } of [stuck, ...others]) await deposit(id);
  await waitForSeq([stuck, ...others], 1);
});

afterAll(async () => {
  await producer.close();
  await world.dispose();
  await broker.dispose();
});

const deposit = (userId: string): Promise<string> =>
  producer.emit({ userId, operation: 'deposit', amount: '1.00' });

async function seqOf(userId: string): Promise<number> {
  const text = 'SELECT seq FROM wallets WHERE id = $1';
  const id = walletIdOf(userId, 'BRL');
  const [row] = await queryService<{ seq: string }>(world.dataDir, 'wallet', text, [id]);
  return Number(row?.seq ?? 0);
}

const waitForSeq = (people: readonly { id: string }[], seq: number) =>
  waitUntil(
    `seq ${seq}`,
    async () => (await Promise.all(people.map(({ id }) => seqOf(id)))).every((s) => s === seq),
    30_000,
  );

/** Another connection that locks the wallet's row until the end. */
const lockWallet = async (userId: string): Promise<() => Promise<void>> =>
  holdWallet((await readUrls(world.dataDir)).owner('wallet'), userId);

describe('locked wallets', () => {
  it('a locked wallet delays only its own messages, and keeps their order', async () => {
    const release = await lockWallet(stuck.id);
    for (let round = 0; round < 3; round += 1) {
      await deposit(stuck.id);
      for (const { id } of others) await deposit(id);
      await waitForSeq(others, 2 + round);
    }
    expect(await seqOf(stuck.id)).toBe(1);
    await release();
    await waitForSeq([stuck], 4);
    expect(await queryService(world.dataDir, 'wallet', 'SELECT 1 FROM dead_letters')).toEqual([]);
  });

  it('messages beside a locked wallet have one effect each, across daemon kills', async () => {
    const release = await lockWallet(stuck.id);
    await deposit(stuck.id);
    for (const { id } of others) await deposit(id);
    await waitForSeq(others, 5);
    for (let kill = 0; kill < 3; kill += 1) {
      await world.kill();
      await world.start({ RABBITMQ_URL: url });
    }
    await release();
    await waitForSeq([stuck, ...others], 5);
    expect(await queryService(world.dataDir, 'wallet', 'SELECT 1 FROM dead_letters')).toEqual([]);
  });

  it('a deposit and a balance as of a time are refused while the wallet is locked', async () => {
    const release = await lockWallet(stuck.id);
    const args = ['deposit', '1.00', '--user', stuck.id, '--yes', '--timeout', '15s'];
    const refused = await olga.run(args);
    expectCode(refused, 7);
    expect(refused.stderr).toContain('locked');
    const at = new Date().toISOString();
    expectCode(await olga.run(['balance', '--user', stuck.id, '--at', at, '--timeout', '15s']), 7);
    // Without a time it is the last committed state, whatever is under way.
    expect(await olga.json(['balance', '--user', stuck.id])).toMatchObject({ balance: '5.00' });
    await release();
    expectCode(await olga.run(args), 0);
    expect(await findFaults(world.dataDir)).toEqual([]);
  });
});
