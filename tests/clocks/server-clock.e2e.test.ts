import { connect as connectBroker } from 'amqplib';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  StatementServiceService,
  StatementStatus,
} from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Operation,
  WalletServiceService,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item, type Answer, type Connection } from '../support/grpc/client.ts';
import { findFaults, queryService, waitUntil } from '../support/ledger/ledger.ts';
import { startRabbitMq, type RabbitMq } from '../support/broker/rabbitmq.ts';
import { password } from '../support/processes/world.ts';
import { createClockSite, type ClockSite } from './site.ts';

const dayS = 86_400;
let broker: RabbitMq;
let url: string;
let site: ClockSite;
let client: Connection;
let count = 0;

beforeAll(async () => {
  broker = await startRabbitMq();
  url = broker.url(await broker.createVhost());
  site = await createClockSite({ RABBITMQ_URL: url });
});
beforeEach(async () => {
  await site.serverClock.step(0);
  client = await site.start();
});
afterAll(async () => {
  await site.dispose();
  await broker.dispose();
});

const reasonOf = (answer: Answer<unknown>): string => (answer.ok ? 'ok' : answer.reason);

async function signUpNew(): Promise<string> {
  const email = `person${(count += 1)}@example.com`;
  expect(reasonOf(await client.call(AuthServiceService.signUp, { email, password }))).toBe('ok');
  return email;
}

/** A new sign-in, once the daemon has noticed the clock of the database. */
async function signIn(email: string) {
  const request = { email, password, client: '', deviceToken: '' };
  for (let tries = 1; ; tries += 1) {
    const answer = await client.call(AuthServiceService.signIn, request);
    if (!answer.ok) throw new Error(answer.reason);
    const { accessToken, refreshToken } = answer.value.tokens!;
    const used = await readBalance(accessToken);
    if (used.ok || tries === 5) {
      expect(reasonOf(used)).toBe('ok');
      const { sessionId } = answer.value.tokens!;
      return { id: answer.value.user!.id, accessToken, refreshToken, sessionId };
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

const readBalance = (token: string) =>
  client.call(WalletServiceService.getBalance, { userId: '', currency: '', at: undefined }, token);
const refresh = (refreshToken: string) =>
  client.call(AuthServiceService.refreshSession, { refreshToken });
const deposit = (token: string, amountMinor = 100n) => {
  const fields = item({ operation: Operation.DEPOSIT, amountMinor });
  const method = WalletServiceService.createTransaction;
  return client.call(method, { item: fields, dryRun: false }, token);
};
const endAll = (token: string, userId: string) => {
  const target = { $case: 'allOfUserId', value: userId } as const;
  return client.call(AuthServiceService.revokeSession, { target }, token);
};

/** Kinds of values whose refusal the daemon has warned of. */
const readWarnings = (): string[] =>
  site
    .daemon()
    .log()
    .split('\n')
    .filter((line) => line.includes('too far in the future'))
    .map((line) => (JSON.parse(line) as { what: string }).what);

/** A key for a year and a day, by the clock of the database. */
async function createKey(token: string): Promise<string> {
  const scopes = ['wallets:read'];
  const expiresAt = new Date(Date.now() + (dayS + 366 * dayS - 600) * 1_000);
  const request = { name: 'job', scopes, operations: [], expiresAt, walletId: undefined };
  const answer = await client.call(AuthServiceService.createApiKey, request, token);
  if (!answer.ok) throw new Error(answer.reason);
  return answer.value.secret;
}
const verifyKey = (key: string) => readBalance(key);

it('sessions from a clock a day ahead expire, and earlier and new ones go on', async () => {
  const email = await signUpNew();
  const before = await signIn(email);
  await site.serverClock.step(dayS);
  const ahead = await signIn(email);
  const key = await createKey(ahead.accessToken);
  await site.serverClock.step(0);
  expect(reasonOf(await readBalance(ahead.accessToken))).toBe('TOKEN_EXPIRED');
  for (let i = 0; i < 3; i += 1) {
    expect(reasonOf(await refresh(ahead.refreshToken))).toBe('REFRESH_TOKEN_INVALID');
  }
  expect(reasonOf(await verifyKey(key))).toBe('TOKEN_EXPIRED');
  const all = new Set(['API key', 'access token', 'session']);
  await waitUntil('warnings', () => Promise.resolve(new Set(readWarnings()).size === all.size));
  expect(new Set(readWarnings())).toEqual(all);
  // At most one a minute for each kind, and the minute may end in between.
  expect(readWarnings().filter((what) => what === 'session').length).toBeLessThan(3);
  expect(site.daemon().log()).not.toContain(ahead.refreshToken);
  expect(reasonOf(await refresh(before.refreshToken))).toBe('ok');
  const after = await signIn(email);
  expect(reasonOf(await deposit(after.accessToken))).toBe('ok');
  expect(reasonOf(await refresh(after.refreshToken))).toBe('ok');
});

it.each([dayS, -dayS, 600])(
  'tokens revoked while the clock was wrong by %d s stay revoked, and new ones work',
  async (offsetS) => {
    const email = await signUpNew();
    const before = await signIn(email);
    await site.serverClock.step(offsetS);
    const during = await signIn(email);
    expect(reasonOf(await endAll(during.accessToken, during.id))).toBe('ok');
    await site.serverClock.step(0);
    const after = await signIn(email);
    expect(reasonOf(await deposit(after.accessToken))).toBe('ok');
    expect(reasonOf(await readBalance(before.accessToken))).toBe('TOKEN_REVOKED');
    expect(reasonOf(await readBalance(during.accessToken))).not.toBe('ok');
    // Where their times come to pass, they are void as well.
    await site.serverClock.step(offsetS);
    expect(reasonOf(await readBalance(during.accessToken))).toBe('TOKEN_REVOKED');
  },
);

it('revoked tokens from a clock a day ahead stay revoked when that time comes', async () => {
  const emails = [await signUpNew(), await signUpNew()] as const;
  await site.serverClock.step(dayS);
  const ahead = [await signIn(emails[0]), await signIn(emails[1])] as const;
  await site.serverClock.step(0);
  const one = await signIn(emails[0]);
  for (let i = 0; i < 2; i += 1) {
    const { accessToken } = await signIn(emails[0]);
    expect(reasonOf(await endAll(accessToken, one.id))).toBe('ok');
  }
  const other = await signIn(emails[1]);
  const target = { $case: 'sessionId', value: ahead[1].sessionId } as const;
  const ended = await client.call(AuthServiceService.revokeSession, { target }, other.accessToken);
  expect(reasonOf(ended)).toBe('ok');
  // A process that has heard nothing of it before.
  await site.stopDaemon();
  await site.serverClock.step(dayS);
  client = await site.start();
  await signIn(emails[0]);
  for (const { accessToken } of ahead) {
    expect(reasonOf(await readBalance(accessToken))).toBe('TOKEN_REVOKED');
  }
});

it('a sign-out while the clock is a day behind lasts, also of another session', async () => {
  const email = await signUpNew();
  const one = await signIn(email);
  await site.serverClock.step(-dayS);
  const during = await signIn(email);
  const signOut = (token: string) => client.call(AuthServiceService.signOut, {}, token);
  // By this clock the token of the first is of a time far ahead: the other session ends both.
  expect(reasonOf(await signOut(one.accessToken))).toBe('TOKEN_EXPIRED');
  const target = { $case: 'sessionId', value: one.sessionId } as const;
  const ended = await client.call(AuthServiceService.revokeSession, { target }, during.accessToken);
  expect(reasonOf(ended)).toBe('ok');
  expect(reasonOf(await signOut(during.accessToken))).toBe('ok');
  expect(reasonOf(await readBalance(during.accessToken))).toBe('TOKEN_REVOKED');
  await site.serverClock.step(0);
  await signIn(await signUpNew());
  expect(reasonOf(await readBalance(one.accessToken))).toBe('TOKEN_REVOKED');
  for (const { refreshToken } of [one, during]) {
    expect(reasonOf(await refresh(refreshToken))).toBe('REFRESH_TOKEN_INVALID');
  }
});

async function readStatement(token: string, from: Date, to?: Date) {
  const range = { userId: '', currency: '', from, to, timezone: '' };
  const page = { pageSize: 0, pageToken: '', operations: [], descending: false };
  const method = StatementServiceService.generateStatement;
  const answer = await client.call(method, { ...range, ...page }, token);
  if (!answer.ok) throw new Error(answer.reason);
  return answer.value;
}

it('complete statements stay the same across clock steps, and none is complete early', async () => {
  const email = await signUpNew();
  const before = await signIn(email);
  const from = new Date(Date.now() - 3_600_000);
  expect(reasonOf(await deposit(before.accessToken))).toBe('ok');
  const first = await readStatement(before.accessToken, from);
  expect(first.status).toBe(StatementStatus.COMPLETE);
  await site.serverClock.step(dayS);
  const ahead = await signIn(email);
  expect(reasonOf(await deposit(ahead.accessToken, 50n))).toBe('ok');
  const second = await readStatement(ahead.accessToken, from);
  expect(second).toMatchObject({
    status: StatementStatus.COMPLETE,
    statement: { closingMinor: 150n },
  });
  await site.serverClock.step(0);
  const { accessToken } = await signIn(email);
  const both = [first, second];
  for (const reported of both) {
    expect(await readStatement(accessToken, from, reported.statement!.to)).toEqual(reported);
  }
  const beyond = new Date(second.statement!.to!.getTime() + 60_000);
  expect((await readStatement(accessToken, from, beyond)).status).toBe(StatementStatus.INCOMPLETE);
  expect(reasonOf(await deposit(accessToken))).toBe('WALLET_CLOCK_AHEAD');
  // Entries of the future do not appear for a wallet that was not used meanwhile.
  const other = await signIn(await signUpNew());
  expect(reasonOf(await deposit(other.accessToken))).toBe('ok');
  const now = await readStatement(other.accessToken, from);
  expect(now.status).toBe(StatementStatus.COMPLETE);
  expect(now.statement!.to!.getTime()).toBeLessThan(Date.now() + 60_000);
  await site.serverClock.step(dayS + 120);
  const later = await signIn(email);
  expect(reasonOf(await deposit(later.accessToken, 7n))).toBe('ok');
  for (const reported of both) {
    expect(await readStatement(later.accessToken, from, reported.statement!.to)).toEqual(reported);
  }
  expect(await findFaults(site.dataDir)).toEqual([]);
});

it('events are sent while the clock is a day ahead and after it, also after a kill', async () => {
  const connection = await connectBroker(url);
  connection.on('error', () => undefined);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'wallet.events', 'transaction.created');
  const heard: string[] = [];
  await channel.consume(queue, (message) => {
    const event = JSON.parse(message!.content.toString()) as {
      data: { transaction: { id: string } };
    };
    heard.push(event.data.transaction.id);
  });
  const ids: (string | undefined)[] = [];
  const pay = async (email: string): Promise<void> => {
    const answer = await deposit((await signIn(email)).accessToken);
    if (!answer.ok) throw new Error(answer.reason);
    ids.push(answer.value.transaction?.id);
    await waitUntil('its event', () => Promise.resolve(heard.length >= ids.length), 20_000);
  };
  await pay(await signUpNew());
  await site.serverClock.step(dayS);
  await pay(await signUpNew());
  // Its lease of the outbox ends tomorrow.
  site.daemon().kill('SIGKILL');
  await site.daemon().exited;
  await site.serverClock.step(0);
  client = await site.start();
  await pay(await signUpNew());
  await waitUntil('an empty outbox', async () => {
    const rows = await queryService(site.dataDir, 'wallet', 'SELECT 1 FROM outbox LIMIT 1');
    return rows.length === 0;
  });
  await connection.close();
  expect(new Set(heard)).toEqual(new Set(ids));
});
