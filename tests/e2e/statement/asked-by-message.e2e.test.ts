import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { waitUntil } from '../../support/ledger/ledger.ts';
import { startSmtpServer, type TestSmtpServer } from '../../support/mail/smtp.ts';
import { createWorld, expectCode, password, type World } from '../../support/processes/world.ts';

let broker: RabbitMq;
let url: string;
let world: World;
let smtp: TestSmtpServer;

beforeAll(async () => {
  broker = await startRabbitMq();
  url = broker.url(await broker.createVhost());
  smtp = await startSmtpServer({ disabledCommands: ['STARTTLS'] });
  world = await createWorld();
  await world.start({
    RABBITMQ_URL: url,
    SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
    MAIL_FROM: 'wallet@example.com',
  });
});
afterAll(async () => {
  await world.dispose();
  await smtp.stop();
  await broker.dispose();
});

/** As a service of the original asks for a statement; `true` once a queue has taken it. */
async function askForStatement(data: object, messageId: string): Promise<boolean> {
  const connection = await connect(url);
  const channel = await connection.createConfirmChannel();
  let isReturned = false;
  channel.on('return', () => {
    isReturned = true;
  });
  const body = Buffer.from(JSON.stringify({ pattern: 'statement_requested', data }));
  const options = { messageId, mandatory: true, persistent: true };
  channel.publish('wallet.commands', 'statement_requested', body, options);
  await channel.waitForConfirms();
  await connection.close();
  return !isReturned;
}

it('statement_requested with userId and maxDate mails the statement once, however often it is sent', async () => {
  const email = 'ana@example.com';
  const create = ['users', 'create', '--email', email, '--role', 'customer'];
  const created = await world.walletd(create, password);
  expectCode(created, 0);
  const userId = /\((\S+)\)/.exec(created.stdout + created.stderr)?.[1] ?? '';
  const olga = await world.staff('olga', 'operator');
  await olga.json(['deposit', '150.00', '--user', userId, '--yes']);

  const data = { userId, maxDate: new Date().toISOString().slice(0, 10) };
  const messageId = 'statement-of-ana';
  await waitUntil('a queue for requests', () => askForStatement(data, messageId), 20_000);
  const listExports = async () => {
    const args = ['exports', 'list', '--user', userId];
    return (await olga.json<{ items: Record<string, unknown>[] }>(args)).items;
  };
  await waitUntil('a mailed export', async () => {
    const [made] = await listExports();
    return made?.['mail'] === 'sent';
  });
  expect(await askForStatement(data, messageId)).toBe(true);
  // A second request of another key is handled after the repeated one, in the order of the queue.
  expect(await askForStatement(data, 'another-statement')).toBe(true);
  await waitUntil('a second export', async () => (await listExports()).length === 2, 20_000);
  await waitUntil('its mail', async () => (await listExports())[0]?.['mail'] === 'sent', 20_000);

  const mails = smtp.mails.filter(({ to, raw }) => to.includes(email) && raw.includes('.csv'));
  expect(mails).toHaveLength(2);
  const file = /filename=[^\n]*\.csv[\s\S]*?\r?\n\r?\n([\s\S]+?)\r?\n--/.exec(mails[0]?.raw ?? '');
  const text = Buffer.from(file?.[1] ?? '', 'base64').toString();
  expect(`${text}${mails[0]?.raw}`).toContain(',deposit,,,150.00,150.00,BRL');
  const [second, first] = await listExports();
  for (const made of [first, second]) {
    expect(made).toMatchObject({ status: 'done', userId, rows: 1, format: 'csv' });
  }
});
