import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import {
  Operation,
  StreamTransactionsRequest,
  WalletServiceService as wallet,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  openAccount,
  send,
  startGateway,
  type GatewayWorld,
} from '../../../tests/support/http/gateway.ts';
import { connectClient } from '../../../tests/support/postgres/client.ts';

let world: GatewayWorld;
let token: string;
let otherToken: string;
/** A finished export of 600 transactions: some 350 KB. */
let file: { readonly path: string; readonly text: string; readonly etag: string };

const call = (method: string, path: string, headers: Record<string, string> = {}) =>
  send(world.url, method, path, { token, headers });
const order = (body: object, headers: Record<string, string> = {}) =>
  send(world.url, 'POST', '/v1/exports', { token, body, headers });

beforeAll(async () => {
  world = await startGateway();
  token = await openAccount(world, 'ana@example.com');
  otherToken = await openAccount(world, 'rui@example.com');
  const items = Array.from({ length: 600 }, (_none, index) => ({
    ...{ operation: Operation.DEPOSIT, currency: 'BRL', amountMinor: 100n },
    description: `${index} `.padEnd(480, 'x'),
    idempotencyKey: `deposit-${index}`,
  }));
  async function* requests() {
    for (const part of [items.slice(0, 300), items.slice(300)]) {
      yield await Promise.resolve(StreamTransactionsRequest.fromPartial({ items: part }));
    }
  }
  const options = { authorization: `Bearer ${token}` };
  const caller = world.services.server.createCaller();
  const answers = caller.stream(wallet.streamTransactions, requests(), options);
  for await (const { results } of answers) {
    expect(results.filter(({ outcome }) => outcome?.$case !== 'created')).toEqual([]);
  }
  const made = await order({ from: '2020-01-01', timezone: 'America/Sao_Paulo' });
  const path = made.headers.get('location') ?? '';
  const finished = await call('GET', `${path}?wait=30`);
  expect(finished.body).toMatchObject({ status: 'done', rows: 600 });
  const whole = await call('GET', `${path}/file`);
  file = { path: `${path}/file`, text: whole.text, etag: `"${String(finished.body['sha256'])}"` };
});
afterAll(() => world.stop());

const isLook = (path: string): boolean => path.endsWith('/GetExport');
const countLooks = (): number => world.calls.filter(isLook).length;

/** While it runs, no file can be written. */
async function whileHeld(work: () => Promise<void>, of = world): Promise<void> {
  const client = await connectClient(of.services.databases.statement.superUrl);
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE export_chunks IN EXCLUSIVE MODE');
    await work();
  } finally {
    await client.end();
  }
}

describe('POST /v1/exports', () => {
  it('the same idempotency key again gives the same export, and another content is refused', async () => {
    const headers = { 'idempotency-key': '"march"' };
    const made = await order({ from: '2026-03-01', to: '2026-03-31', format: 'ndjson' }, headers);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      ...{ format: 'ndjson', timezone: 'UTC' },
      ...{ from: '2026-03-01T00:00:00.000+00:00', to: '2026-04-01T00:00:00.000+00:00' },
    });
    const again = await order({ from: '2026-03-01', to: '2026-03-31', format: 'ndjson' }, headers);
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true']);
    expect(again.body['id']).toBe(made.body['id']);
    const other = await order({ from: '2026-03-02' }, headers);
    expect(other.body).toMatchObject({ status: 422, reason: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('a dry run has no id, and makes nothing', async () => {
    const listIds = async () =>
      ((await call('GET', '/v1/exports')).body['items'] as { id: string }[]).map(({ id }) => id);
    const before = await listIds();
    const answer = await order({ from: '2020-01-01', dryRun: true });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ dryRun: true, status: 'queued' });
    expect(answer.body).not.toHaveProperty('id');
    expect(await listIds()).toEqual(before);
  });

  it.each([
    ['an unknown format', { format: 'pdf' }, 'INVALID_ARGUMENT', 'format'],
    ['an impossible date', { from: '2026-02-30' }, 'INVALID_ARGUMENT', 'from'],
    ['a time without an offset', { to: '2026-02-01T10:00:00' }, 'INVALID_ARGUMENT', 'to'],
    ['an unknown zone', { timezone: 'Mars' }, 'INVALID_ARGUMENT', 'timezone'],
    [
      'a mark in JSON',
      { format: 'json', byteOrderMark: true },
      'INVALID_ARGUMENT',
      'byteOrderMark',
    ],
    ['eleven years', { from: '2010-01-01', to: '2021-01-01' }, 'RANGE_TOO_LONG', 'to'],
  ])('an order with %s is refused', async (_what, body, reason, field) => {
    expect((await order(body)).body).toMatchObject({ status: 400, reason, field });
  });
});

describe('GET /v1/exports', () => {
  it('pages follow each other by the header Link, newest first', async () => {
    const first = await call('GET', '/v1/exports?limit=1');
    const link = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    const second = await call('GET', link);
    const ids = [first, second].map(({ body }) => (body['items'] as { id: string }[])[0]?.id);
    expect(new Set(ids).size).toBe(2);
  });

  it('an export of another user is answered like one that does not exist', async () => {
    for (const path of [file.path, file.path.replace('/file', '?wait=30')]) {
      const refused = await send(world.url, 'GET', path, { token: otherToken });
      expect(refused.body).toMatchObject({ status: 404, reason: 'EXPORT_NOT_FOUND' });
    }
  });
});

describe('GET /v1/exports/:id with wait', () => {
  it.each([
    ['?wait=30', {}],
    ['', { prefer: 'respond-async, wait=30' }],
  ])('a request with %s %j is answered once the file is written', async (query, headers) => {
    let waiting: ReturnType<typeof call> | undefined;
    await whileHeld(async () => {
      const path = (await order({ from: '2020-01-01' })).headers.get('location') ?? '';
      const looked = await call('GET', path);
      expect([looked.status, looked.headers.get('retry-after')]).toEqual([202, '2']);
      expect((await call('GET', `${path}/file`)).body).toMatchObject({
        ...{ status: 409, reason: 'EXPORT_NOT_READY' },
      });
      waiting = call('GET', `${path}${query}`, headers);
      const over = await call('GET', `${path}?wait=1`);
      expect(over.status).toBe(202);
    });
    const finished = await waiting;
    expect(finished?.status).toBe(200);
    expect(finished?.body).toMatchObject({ status: 'done', rows: 600 });
  });

  it('a request whose client leaves waits no longer', async () => {
    await whileHeld(async () => {
      const path = (await order({ from: '2020-01-01' })).headers.get('location') ?? '';
      const leaving = new AbortController();
      const before = countLooks();
      const waiting = fetch(`${world.url}${path}?wait=30`, {
        headers: { authorization: `Bearer ${token}` },
        signal: leaving.signal,
      });
      await vi.waitFor(() => expect(countLooks()).toBeGreaterThan(before + 1), { timeout: 20_000 });
      leaving.abort();
      await expect(waiting).rejects.toThrow();
      // Longer than any pause between two looks.
      await sleep(1_500);
      const after = countLooks();
      await sleep(1_500);
      expect(countLooks()).toBe(after);
    });
  });

  it('a request that waits is answered when the gateway stops', async () => {
    const own = await startGateway();
    const mine = await openAccount(own, 'eva@example.com');
    const request = { token: mine, body: { from: '2020-01-01' } };
    await whileHeld(async () => {
      const made = await send(own.url, 'POST', '/v1/exports', request);
      const path = `${made.headers.get('location') ?? ''}?wait=30`;
      const waiting = send(own.url, 'GET', path, { token: mine });
      await vi.waitFor(() => expect(own.calls.filter(isLook).length).toBeGreaterThan(1), {
        timeout: 20_000,
      });
      await own.stopGateway();
      expect((await waiting).status).toBe(202);
    }, own);
    await own.stop();
  });

  it('a request that waits longer than 30 s is refused', async () => {
    const refused = await call('GET', file.path.replace('/file', '?wait=31'));
    expect(refused.body).toMatchObject({ status: 400, field: 'wait' });
  });
});

describe('GET /v1/exports/:id/file', () => {
  it('the file has its checksum as its tag, and a name', async () => {
    const whole = await call('GET', file.path);
    expect(whole.status).toBe(200);
    expect(`"${createHash('sha256').update(whole.text).digest('hex')}"`).toBe(file.etag);
    expect(whole.headers.get('etag')).toBe(file.etag);
    expect(whole.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(whole.headers.get('content-length')).toBe(String(Buffer.byteLength(whole.text)));
    expect(whole.headers.get('content-disposition')).toMatch(
      /^attachment; filename="statement-BRL-2020-01-01-\d{4}-\d\d-\d\d\.csv"$/,
    );
  });

  it.each([
    ['bytes=0-9', 0, 10],
    ['bytes=100000-200000', 100_000, 200_001],
    ['bytes=-5', -5, undefined],
    ['bytes=250000-', 250_000, undefined],
  ])('the range %s is answered with these bytes', async (range, start, end) => {
    const part = await call('GET', file.path, { range, 'if-range': file.etag });
    expect(part.status).toBe(206);
    expect(part.text).toBe(file.text.slice(start, end));
    const size = file.text.length;
    const first = start < 0 ? size + start : start;
    expect(part.headers.get('content-range')).toBe(`bytes ${first}-${(end ?? size) - 1}/${size}`);
  });

  it('a range of another file, or several ranges, are answered with the whole file', async () => {
    const other = await call('GET', file.path, { range: 'bytes=0-9', 'if-range': '"other"' });
    const several = await call('GET', file.path, { range: 'bytes=0-1,5-6' });
    for (const answer of [other, several]) {
      expect(answer.status).toBe(200);
      expect(answer.text === file.text).toBe(true);
    }
  });

  it('a range after the end is refused with the size', async () => {
    const refused = await call('GET', file.path, { range: `bytes=${file.text.length}-` });
    expect(refused.body).toMatchObject({ status: 416, reason: 'RANGE_NOT_SATISFIABLE' });
    expect(refused.headers.get('content-range')).toBe(`bytes */${file.text.length}`);
  });

  it('a client that has the file does not get it again', async () => {
    const answer = await call('GET', file.path, { 'if-none-match': file.etag });
    expect([answer.status, answer.text, answer.headers.get('etag')]).toEqual([304, '', file.etag]);
  });

  it('a file that was deleted is refused', async () => {
    const made = await order({ from: '2020-01-01', format: 'json' });
    const path = made.headers.get('location') ?? '';
    expect((await call('GET', `${path}?wait=30`)).status).toBe(200);
    await world.services.databases.statement.query(
      `UPDATE exports SET status = 'expired' WHERE id = $1`,
      [made.body['id']],
    );
    const refused = await call('GET', `${path}/file`);
    expect(refused.body).toMatchObject({ status: 409, reason: 'EXPORT_EXPIRED' });
  });
});
