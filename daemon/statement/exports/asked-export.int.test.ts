import { randomUUID } from 'node:crypto';

import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createTestVhost, type TestVhost } from '../../../tests/support/broker/vhost.ts';
import { startSmtpServer, type TestSmtpServer } from '../../../tests/support/mail/smtp.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import { createAmqpBroker } from '../../platform/broker/amqp/index.ts';
import type { Broker } from '../../platform/broker/broker.ts';
import { createLog } from '../../platform/log.ts';
import { createMailer, type Mailer } from '../../platform/mail/mail.ts';
import {
  contextOf,
  createStatementWorld,
  userOf,
  valueOf,
  type StatementWorld,
} from '../test-support.ts';

const log = createLog('silent');
let database: TestDatabase;
let vhost: TestVhost;
let world: StatementWorld;
let smtp: TestSmtpServer;
let mailer: Mailer;
let broker: Broker;
let statement: Awaited<ReturnType<StatementWorld['start']>>;
let connection: ChannelModel;
let channel: ConfirmChannel;
let ana: UserPrincipal;

beforeEach(async () => {
  database = await createTestDatabase('statement');
  vhost = await createTestVhost();
  world = createStatementWorld(database);
  smtp = await startSmtpServer({ disabledCommands: ['STARTTLS'] });
  mailer = createMailer({ url: `smtp://127.0.0.1:${smtp.port}`, from: 'wallet@bank.example' });
  await start(mailer);
  connection = await connect(vhost.url);
  channel = await connection.createConfirmChannel();
  ana = world.know(userOf());
  await world.fill(ana.userId, 300);
});

afterEach(async () => {
  await connection.close();
  await stop();
  await mailer.stop();
  await smtp.stop();
  await vhost.drop();
  await database.drop();
});

async function start(by: Mailer | undefined): Promise<void> {
  broker = createAmqpBroker(vhost.url, log);
  statement = await world.start(by, broker);
  await until(() => expect(broker.findTrouble()).toBeUndefined());
}

async function stop(): Promise<void> {
  await broker.stopConsuming();
  await statement.stop();
  await broker.stop();
}

const until = (check: () => void | Promise<void>) =>
  vi.waitFor(check, { timeout: 30_000, interval: 50 });

/** Publishes as another program does, confirmed. */
async function publish(body: string, properties: { messageId?: string } = {}): Promise<void> {
  const options = { persistent: true, mandatory: true, ...properties };
  channel.publish('wallet.commands', 'statement_requested', Buffer.from(body), options);
  await channel.waitForConfirms();
}

const ask = (data: object, messageId?: string) =>
  publish(
    JSON.stringify({ pattern: 'statement_requested', data }),
    messageId === undefined ? {} : { messageId },
  );

type Row = { id: string; status: string; user_id: string; mail_state: string; mail_to?: string };
const readExports = () =>
  database.query<Row & Record<string, unknown>>(
    `SELECT id, status, user_id, requested_by, currency, timezone, format, mail_state,
       to_char(range_from AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS range_from
     FROM exports ORDER BY created_at`,
  );
const readLetters = () =>
  database.query<{ id: string; reason: string; field: string; state: string }>(
    `SELECT id, reason, field, state FROM dead_letters
     ORDER BY (body::json->'data'->>'n')::int, created_at`,
  );
const untilLetter = (reason: string, field: string) =>
  until(async () => expect(await readLetters()).toMatchObject([{ reason, field }]));

const dayMs = 86_400_000;

describe('statements that other programs ask for', () => {
  it('a statement from a date until now is mailed to the user', async () => {
    await ask({ userId: ana.userId.toUpperCase(), maxDate: '2026-01-20' }, randomUUID());
    const [mail] = await smtp.waitFor(1);
    expect(mail?.to).toEqual([`${ana.userId}@example.com`]);
    expect(mail?.raw).toMatch(/^subject: Your BRL statement, 2026-01-20 to 2027-02-14/im);
    expect(mail?.raw).toMatch(/filename=statement-BRL-2026-01-20-2027-02-1\d\.csv/);
    await until(async () =>
      expect(await readExports()).toMatchObject([
        {
          ...{ user_id: ana.userId, requested_by: ana.userId, currency: 'BRL', format: 'csv' },
          ...{ timezone: 'UTC', range_from: '2026-01-20 00:00' },
          ...{ status: 'done', mail_state: 'sent' },
        },
      ]),
    );
    expect(await readLetters()).toEqual([]);
  });

  it('a message that comes again makes no second export, and a changed one none at all', async () => {
    const key = randomUUID();
    const data = { userId: ana.userId, maxDate: '2026-01-20' };
    await ask(data, key);
    await ask(data, key);
    await ask({ ...data, messageId: key });
    await ask({ ...data, maxDate: '2026-01-21' }, key);
    await untilLetter('IDEMPOTENCY_KEY_REUSED', 'messageId');
    await smtp.waitFor(1);
    await ask(data, randomUUID());
    await smtp.waitFor(2);
    expect(await readExports()).toHaveLength(2);
  });

  it('a message with a fault is a dead letter with reason and field', async () => {
    const faults: [string, string, object][] = [
      ['USER_NOT_FOUND', 'data.userId', { userId: randomUUID() }],
      ['INVALID_ARGUMENT', 'data.userId', { userId: 'ana' }],
      ['INVALID_ARGUMENT', 'data.userId', { userId: undefined }],
      ['INVALID_ARGUMENT', 'data.maxDate', { maxDate: undefined }],
      ['INVALID_ARGUMENT', 'data.maxDate', { maxDate: 20_260_120 }],
      ['INVALID_ARGUMENT', 'data.maxDate', { maxDate: '2026-02-30' }],
      ['INVALID_ARGUMENT', 'data.maxDate', { maxDate: '2026-01-20T00:00:00Z' }],
      ['INVALID_ARGUMENT', 'data.maxDate', { maxDate: '2027-03-01' }],
      ['INVALID_ARGUMENT', 'data.maxDate', { maxDate: '0000-01-01' }],
      ['RANGE_TOO_LONG', 'data.maxDate', { maxDate: '2001-01-01' }],
      ['MESSAGE_ID_MISSING', 'messageId', { messageId: undefined }],
      ['INVALID_ARGUMENT', 'messageId', { messageId: '' }],
      ['INVALID_ARGUMENT', 'messageId', { messageId: 'x'.repeat(256) }],
      ['INVALID_ARGUMENT', 'messageId', { messageId: 7 }],
    ];
    for (const [n, [, , change]] of faults.entries()) {
      const data = { userId: ana.userId, maxDate: '2026-01-20', messageId: randomUUID() };
      await ask({ n, ...data, ...change });
    }
    const read = async () => (await readLetters()).map(({ reason, field }) => [reason, field]);
    await until(async () => expect(await read()).toHaveLength(faults.length));
    expect(await read()).toEqual(faults.map(([reason, field]) => [reason, field]));
    expect(await readExports()).toEqual([]);
  });

  it.each([
    ['whose account is disabled', { isDisabled: true }],
    ['whose address is not verified', { isEmailVerified: false }],
  ])('a message about a user %s is a dead letter', async (_who, change) => {
    world.know(ana, change);
    await ask({ userId: ana.userId, maxDate: '2026-01-20' }, randomUUID());
    await untilLetter('INVALID_ARGUMENT', 'data.userId');
  });

  it('without a mail server a message is a dead letter', async () => {
    await stop();
    await start(undefined);
    await ask({ userId: ana.userId, maxDate: '2026-01-20' }, randomUUID());
    await untilLetter('MAIL_NOT_CONFIGURED', 'body');
    expect(await readExports()).toEqual([]);
  });

  it('a dead letter is handled by a replay once the user exists', async () => {
    const bia = userOf();
    await ask({ userId: bia.userId, maxDate: '2026-01-20' }, randomUUID());
    await untilLetter('USER_NOT_FOUND', 'data.userId');
    world.know(bia);
    const [letter] = await readLetters();
    const request = { deadLetterIds: [letter?.id], dryRun: false };
    const replay = statement.service.handlers['replayDeadLetters']!;
    valueOf(await replay(request as never, contextOf(userOf('operator'))));
    expect((await smtp.waitFor(1))[0]?.to).toEqual([`${bia.userId}@example.com`]);
    expect(await readLetters()).toMatchObject([{ state: 'replayed' }]);
  });
});

describe('statements that cannot be made now', () => {
  it('a message waits while the auth service is unavailable', async () => {
    const asked = vi.spyOn(world.peers, 'findUser');
    world.state.isAuthAway = true;
    await ask({ userId: ana.userId, maxDate: '2026-01-20' }, randomUUID());
    // Again and again.
    await until(() => expect(asked.mock.calls.length).toBeGreaterThan(2));
    world.state.isAuthAway = false;
    await smtp.waitFor(1);
    expect(await readLetters()).toEqual([]);
  });

  const dateOf = (day: number): string =>
    new Date(Date.parse('2026-01-20') + day * dayMs).toISOString().slice(0, 10);
  const countOf = async ({ userId }: UserPrincipal): Promise<number> =>
    (await readExports()).filter((row) => row.user_id === userId).length;

  /** Asks for so many statements of Ana, which are not finished before the ledger is back. */
  async function askMany(count: number): Promise<void> {
    world.state.isWalletAway = true;
    for (let i = 0; i < count; i += 1) {
      await ask({ userId: ana.userId, maxDate: dateOf(i) }, randomUUID());
    }
  }

  it('a user’s 21st unfinished statement waits, and those of others are queued', async () => {
    const bia = world.know(userOf());
    await askMany(21);
    await ask({ userId: bia.userId, maxDate: '2026-01-20' }, randomUUID());
    await until(async () => expect(await countOf(bia)).toBe(1));
    expect(await countOf(ana)).toBe(20);
    world.state.isWalletAway = false;
    await database.query("UPDATE exports SET due_at = 'epoch'");
    await until(async () => expect(await countOf(ana)).toBe(21));
    await smtp.waitFor(22);
    expect(await readLetters()).toEqual([]);
  });

  it('a replay beside 20 unfinished statements is refused, and its letter stays pending', async () => {
    await askMany(20);
    await ask({ userId: ana.userId, maxDate: 'soon' }, randomUUID());
    await untilLetter('INVALID_ARGUMENT', 'data.maxDate');
    await until(async () => expect(await countOf(ana)).toBe(20));
    const data = { userId: ana.userId, maxDate: '2026-01-20' };
    const body = JSON.stringify({ pattern: 'statement_requested', data });
    const request = { deadLetterIds: [(await readLetters())[0]?.id], body, dryRun: false };
    const replay = statement.service.handlers['replayDeadLetters']!;
    const replaying = replay(request as never, contextOf(userOf('operator')));
    await expect(replaying).rejects.toThrow('20 exports of the user may not be finished');
    expect(await readLetters()).toMatchObject([{ state: 'pending' }]);
    expect(await countOf(ana)).toBe(20);
  });
});
