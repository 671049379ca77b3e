import { createHash, randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import {
  bearer,
  enter,
  readEvents,
  type HttpReply,
  type SentEvent,
} from '../../support/http/client.ts';
import {
  startGatewayProcesses,
  type GatewayProcesses,
} from '../../support/processes/gateway-processes.ts';
import { password } from '../../support/processes/world.ts';
import { queryUrl } from '../../support/postgres/client.ts';

let at: GatewayProcesses;
let ana: string;

beforeAll(async () => {
  at = await startGatewayProcesses();
  ana = await enter(at.client, 'ana@example.com', password);
});
afterAll(() => at.dispose());

const send = (method: string, path: string, token: string, body?: unknown, headers = {}) =>
  at.client.send(method, path, { headers: { ...bearer(token), ...headers }, body });

const deposit = (token: string, amount: string, currency = 'BRL') =>
  send(
    'POST',
    '/v1/transactions',
    token,
    { operation: 'deposit', amount, currency },
    { 'idempotency-key': randomUUID() },
  );

type Result = {
  readonly status: number;
  readonly transaction?: { readonly seq: number; readonly replayed: boolean };
};
const resultsOf = ({ body }: HttpReply): readonly Result[] => body['items'] as readonly Result[];

const rangeOfToday = () => ({
  from: new Date(Date.now() - 86_400_000).toISOString(),
  to: new Date().toISOString(),
});

/** Asks until the answer is as it should be. */
const until = async (ask: () => Promise<HttpReply>, isGood: (reply: HttpReply) => boolean) => {
  const check = async () => {
    const reply = await ask();
    if (!isGood(reply)) throw new Error(`${reply.status} ${reply.text.slice(0, 500)}`);
    return reply;
  };
  return vi.waitFor(check, { timeout: 30_000, interval: 100 });
};

describe('a gateway before services in other processes', () => {
  it('a client with a cookie signs up, moves money and signs out', async () => {
    const person = { email: 'bia@example.com', password };
    const signUp = { ...person, confirmPassword: password };
    expect((await at.client.send('POST', '/auth/sign-up', { body: signUp })).status).toBe(200);
    const signedIn = await at.client.send('POST', '/auth/sign-in', { body: person });
    const cookie = signedIn.headers['set-cookie']?.[0] ?? '';
    expect(cookie).toMatch(/^token=dws_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; .*Secure$/);
    const headers = { cookie: cookie.split(';')[0] ?? '' };
    const ask = (method: string, path: string, body?: object) =>
      at.client.send(method, path, { headers, body });
    const made = await ask('POST', '/wallet/transaction', { operation: 0, amount: 159.99 });
    expect(made).toMatchObject({ status: 201, body: { transaction: { amount: '159.99' } } });
    expect((await ask('GET', '/wallet/balance')).text).toContain('"balance":159.99');
    expect((await ask('POST', '/auth/sign-out', {})).status).toBe(200);
    const refused = await until(
      () => ask('GET', '/wallet/balance'),
      ({ status }) => status === 401,
    );
    expect(refused.body).toMatchObject({ reason: 'TOKEN_REVOKED', field: 'Cookie' });
  });

  it('a batch of 1,000 items that no message holds is done in order, and once', async () => {
    const items = Array.from({ length: 1_000 }, (_item, i) => ({
      operation: i % 2 === 0 ? 'deposit' : 'withdraw',
      amount: '1.00',
      currency: 'USD',
      idempotencyKey: `item ${i} of a batch whose keys are long ${'k'.repeat(150)}`,
      description: `line ${i} ${'é'.repeat(240)}`,
    }));
    const body = JSON.stringify({ items });
    expect(Buffer.byteLength(body)).toBeGreaterThan(2 * 256 * 1024);
    const ask = () => send('POST', '/v1/transactions/batch', ana, { items });
    const made = await ask();
    expect(made.status, made.text.slice(0, 500)).toBe(200);
    const seqs = resultsOf(made).map(({ transaction }) => transaction?.seq);
    expect(seqs).toEqual(items.map((_item, i) => i + 1));
    expect(new Set(resultsOf(made).map(({ status }) => status))).toEqual(new Set([201]));
    const again = await ask();
    expect(resultsOf(again).map(({ transaction }) => transaction?.seq)).toEqual(seqs);
    expect(new Set(resultsOf(again).map(({ status }) => status))).toEqual(new Set([200]));
    const balance = await send('GET', '/v1/wallets/me/USD', ana);
    expect(balance.body).toMatchObject({ balance: '0.00', seq: 1_000 });
  });

  it('a statement is answered as JSON and CSV, and an export is downloaded in parts', async () => {
    await deposit(ana, '12.34', 'EUR');
    await deposit(ana, '1.00', 'EUR');
    const search = new URLSearchParams({ currency: 'EUR', ...rangeOfToday() }).toString();
    const read = (headers = {}) => send('GET', `/v1/statements?${search}`, ana, undefined, headers);
    const complete = await until(read, ({ body }) => body['status'] === 'complete');
    expect(complete.body).toMatchObject({ statement: { closing: '13.34' } });
    const csv = await read({ accept: 'text/csv' });
    expect(csv.text).toContain('12.34');
    const ordered = await send('POST', '/v1/exports', ana, { currency: 'EUR', ...rangeOfToday() });
    expect(ordered.status).toBe(201);
    const path = ordered.headers.location ?? '';
    const done = await until(
      () => send('GET', `${path}?wait=10`, ana),
      ({ status }) => status === 200,
    );
    expect(done.body).toMatchObject({ status: 'done', rows: 2 });
    const whole = await send('GET', `${path}/file`, ana);
    const digest = createHash('sha256').update(whole.bytes).digest('hex');
    expect(whole).toMatchObject({ status: 200, headers: { etag: `"${digest}"` } });
    const part = (range: string) =>
      send('GET', `${path}/file`, ana, undefined, { range, 'if-range': `"${digest}"` });
    const parts = [await part('bytes=0-9'), await part('bytes=10-49'), await part('bytes=50-')];
    expect(parts.map(({ status }) => status)).toEqual([206, 206, 206]);
    expect(Buffer.concat(parts.map(({ bytes }) => bytes)).equals(whole.bytes)).toBe(true);
    expect((await part('bytes=9999999-')).status).toBe(416);
  });

  it('a stream of events has each line, and ends when its credential is revoked', async () => {
    const caio = await enter(at.client, 'caio@example.com', password);
    const response = await at.client.open('GET', '/v1/events', { headers: bearer(caio) });
    expect(response.statusCode).toBe(200);
    const seen: SentEvent[] = [];
    const ended = (async () => {
      for await (const event of readEvents(response)) seen.push(event);
    })();
    const made = await deposit(caio, '3.00');
    const lines = () => seen.filter(({ event }) => event === 'line');
    await expect.poll(() => lines().length, { timeout: 20_000 }).toBe(1);
    expect(lines()[0]?.data).toMatchObject({ transactionId: made.body['id'], seq: 1 });
    expect((await send('DELETE', '/v1/sessions/current', caio)).status).toBe(204);
    await ended;
    expect(seen.at(-1)).toMatchObject({ event: 'problem', data: { reason: 'TOKEN_REVOKED' } });
  });

  it('the services see the address from which a proxy of the gateway was asked', async () => {
    const source = '198.51.100.7';
    const headers = { 'x-forwarded-for': source };
    const body = { email: 'ana@example.com', password: 'not the password' };
    const refused = await at.client.send('POST', '/v1/sign-in', { headers, body });
    expect(refused.body).toMatchObject({ status: 401, reason: 'CREDENTIALS_INVALID' });
    const { url } = at.postgres;
    const rows = await queryAuth(url({ database: 'auth' }));
    expect(rows).toContainEqual({ source, result: 'CREDENTIALS_INVALID' });
  });
});

describe('a gateway without one of its services', () => {
  const readyz = () => at.client.send('GET', '/readyz');

  it('without the wallet service it says so, and refuses with 503 what needs it', async () => {
    expect(await readyz()).toMatchObject({ status: 200, text: 'ready\n' });
    await at.kill('ledger');
    const degraded = await until(readyz, ({ text }) => text !== 'ready\n');
    expect(degraded).toMatchObject({
      status: 200,
      text:
        'ready, degraded; the wallet service does not serve (WALLET_SERVICE_URL); ' +
        'the statement service does not serve (STATEMENT_SERVICE_URL)\n',
    });
    const key = { 'idempotency-key': 'sent again' };
    const pay = () =>
      send('POST', '/v1/transactions', ana, { operation: 'deposit', amount: '5.00' }, key);
    const refused = await pay();
    expect(refused).toMatchObject({ status: 503, body: { reason: 'WALLET_UNAVAILABLE' } });
    expect(refused.headers['content-type']).toBe('application/problem+json');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.body).not.toHaveProperty('outcome');
    const unread = await send('GET', '/v1/exports', ana);
    expect(unread).toMatchObject({ status: 503, body: { reason: 'STATEMENT_UNAVAILABLE' } });
    const unseen = await send('GET', '/v1/events', ana);
    expect(unseen).toMatchObject({ status: 503, body: { reason: 'STATEMENT_UNAVAILABLE' } });
    expect((await send('GET', '/v1/me', ana)).status).toBe(200);
    await at.start('ledger');
    const made = await until(pay, ({ status }) => status !== 503);
    expect(made).toMatchObject({ status: 201, body: { replayed: false } });
    expect(await until(readyz, ({ text }) => text === 'ready\n')).toMatchObject({ status: 200 });
  });

  it('without the auth service it is not ready, and serves again once that is back', async () => {
    await at.kill('auth');
    const unready = await until(readyz, ({ status }) => status === 503);
    const missing = 'not ready; the auth service does not serve (AUTH_SERVICE_URL)';
    expect(unready.text.startsWith(missing), unready.text).toBe(true);
    const refused = await send('GET', '/v1/me', ana);
    expect(refused).toMatchObject({ status: 503, body: { reason: 'AUTH_UNAVAILABLE' } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    const balance = () => send('GET', '/v1/wallets/me/BRL', ana);
    const unknown = await until(balance, ({ status }) => status === 503);
    expect(unknown.body).toMatchObject({ reason: 'AUTH_UNAVAILABLE' });
    await at.start('auth');
    await until(balance, ({ status }) => status === 200);
    expect(await until(readyz, ({ text }) => text === 'ready\n')).toMatchObject({ status: 200 });
  });
});

function queryAuth(url: string): Promise<object[]> {
  const text = `SELECT details->>'source' AS source, result FROM audit_log
    WHERE action = 'sign_in' AND result <> 'ok'`;
  return queryUrl(url, text);
}
