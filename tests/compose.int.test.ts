import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connect, type ConfirmChannel } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { startRabbitMq, type RabbitMq } from './support/broker/rabbitmq.ts';

const passwords = {
  RABBITMQ_WALLETD_PASSWORD: 'walletd-secret',
  RABBITMQ_PRODUCER_PASSWORD: 'producer-secret',
  RABBITMQ_ADMIN_PASSWORD: 'admin-secret',
};

describe("the broker's users under Docker Compose", () => {
  let folder: string;
  let file: string;
  let broker: RabbitMq;

  const render = (env: Readonly<Record<string, string>>): void => {
    execFileSync('/bin/sh', ['docker/rabbitmq-start.sh', 'true'], {
      env: { PATH: process.env['PATH'], DEFINITIONS_FILE: file, ...env },
      stdio: 'pipe',
    });
  };
  const as = async <T>(user: string, work: (channel: ConfirmChannel) => Promise<T>): Promise<T> => {
    const url = new URL(broker.url('wallet'));
    url.username = user;
    url.password = `${user}-secret`;
    const connection = await connect(url.href);
    try {
      const channel = await connection.createConfirmChannel();
      // A refused publish closes the channel; the reason arrives a moment later.
      const refusals: Error[] = [];
      channel.on('error', (error: Error) => void refusals.push(error));
      return await work(channel).catch(async (error: unknown) => {
        await vi.waitFor(() => expect(refusals).not.toEqual([]), { timeout: 20_000 });
        throw refusals[0] ?? error;
      });
    } finally {
      await connection.close();
    }
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dw-definitions-'));
    file = join(folder, 'run/definitions.json');
    render(passwords);
    broker = await startRabbitMq();
    await broker.ctl('import_definitions', file);
    await as('walletd', async (channel) => {
      await channel.assertExchange('wallet.commands', 'direct');
      await channel.assertQueue('wallet_queue', { arguments: { 'x-queue-type': 'quorum' } });
      await channel.bindQueue('wallet_queue', 'wallet.commands', 'wallet_queue');
    });
  }, 120_000);
  afterAll(async () => {
    await broker.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  test('the definitions of the broker users can be read by the broker only', async () => {
    expect((await stat(file)).mode & 0o077).toBe(0);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      vhosts: [{ name: 'wallet' }],
    });
  });

  test('the producer user of Docker Compose publishes commands', async () => {
    await as('producer', async (channel) => {
      channel.publish('wallet.commands', 'wallet_queue', Buffer.from('{}'), { persistent: true });
      await channel.waitForConfirms();
    });
    const got = await as('walletd', (channel) => channel.get('wallet_queue', { noAck: true }));
    expect(got && got.content.toString()).toBe('{}');
  });

  test.each<[string, (channel: ConfirmChannel) => Promise<unknown>]>([
    ['declare a queue', (channel) => channel.assertQueue('mine')],
    ['read a queue', (channel) => channel.get('wallet_queue')],
    ['delete a queue', (channel) => channel.deleteQueue('wallet_queue')],
    ['bind to an exchange', (channel) => channel.bindQueue('wallet_queue', 'wallet.commands', 'x')],
    ['publish past the exchange', (channel) => confirmed(channel, '', 'wallet_queue')],
    ['publish elsewhere', (channel) => confirmed(channel, 'amq.topic', 'transaction.created')],
    ['publish to a longer name', (channel) => confirmed(channel, 'walletXcommands', 'x')],
  ])('the producer user may not %s', async (_what, attempt) => {
    await expect(as('producer', attempt)).rejects.toThrow('ACCESS_REFUSED');
  });

  test('a missing or invalid password of a broker user is named', () => {
    const { RABBITMQ_ADMIN_PASSWORD: _left, ...others } = passwords;
    expect(() => render(others)).toThrow('RABBITMQ_ADMIN_PASSWORD');
    expect(() => render({ ...passwords, RABBITMQ_ADMIN_PASSWORD: 'a"b' })).toThrow(
      'RABBITMQ_ADMIN_PASSWORD: only letters',
    );
  });
});

async function confirmed(channel: ConfirmChannel, exchange: string, key: string): Promise<void> {
  channel.publish(exchange, key, Buffer.from('{}'));
  await channel.waitForConfirms();
}
