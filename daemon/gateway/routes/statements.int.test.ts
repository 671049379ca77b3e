import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  openAccount,
  send,
  startGateway,
  type GatewayWorld,
} from '../../../tests/support/http/gateway.ts';

let world: GatewayWorld;
let token: string;

const get = (query: string, headers: Record<string, string> = {}) =>
  send(world.url, 'GET', `/v1/statements${query}`, { token, headers });

beforeAll(async () => {
  world = await startGateway();
  token = await openAccount(world, 'ana@example.com');
  const moves = [
    { operation: 'deposit', amount: '100.00', description: '=salary' },
    { operation: 'purchase', amount: '30.50', merchant: 'Bakery' },
    { operation: 'withdraw', amount: '9.50' },
  ];
  for (const body of moves) {
    const headers = { 'idempotency-key': body.operation };
    const made = await send(world.url, 'POST', '/v1/transactions', { token, body, headers });
    expect(made.status).toBe(201);
  }
});
afterAll(() => world.stop());

describe('GET /v1/statements', () => {
  it('a statement without a range is that of the last 15 days, and complete', async () => {
    const { status, body } = await get('?currency=BRL&timezone=America/Sao_Paulo');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'complete',
      statement: {
        ...{ currency: 'BRL', timezone: 'America/Sao_Paulo', opening: '0.00', closing: '60.00' },
        ...{ totalDebit: '40.00', totalCredit: '100.00' },
        lines: [
          { seq: 1, operation: 'deposit', credit: '100.00', balance: '100.00' },
          { seq: 2, operation: 'purchase', debit: '30.50', merchant: 'Bakery', balance: '69.50' },
          { seq: 3, operation: 'withdraw', debit: '9.50', balance: '60.00' },
        ],
      },
    });
  });

  it('pages follow each other by the header Link, with the same operations and order', async () => {
    const query = '?limit=1&order=desc&operation=deposit&operation=withdraw';
    const lines: unknown[] = [];
    let path = query;
    for (let pages = 0; pages < 5 && path !== ''; pages += 1) {
      const { body, headers } = await get(path);
      lines.push(...(body['statement'] as { lines: { operation: string }[] }).lines);
      path = /^<\/v1\/statements([^>]+)>/.exec(headers.get('link') ?? '')?.[1] ?? '';
    }
    expect(lines.map((line) => (line as { operation: string }).operation)).toEqual([
      'withdraw',
      'deposit',
    ]);
  });

  it('text/csv gives all lines, and no cell is a formula', async () => {
    const { status, text, headers } = await get('', { accept: 'text/csv' });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(headers.get('statement-status')).toBe('complete');
    expect(headers.get('content-disposition')).toMatch(/filename="statement-BRL-.*\.csv"$/);
    const rows = text.trimEnd().split('\r\n');
    expect(rows[0]).toBe('date,transaction_id,operation,description,debit,credit,balance,currency');
    expect(rows.slice(1).map((row) => row.split(',').slice(2).join(','))).toEqual([
      "deposit,'=salary,,100.00,100.00,BRL",
      'purchase,Bakery,30.50,,69.50,BRL',
      'withdraw,,9.50,,60.00,BRL',
    ]);
  });

  it('text/x-hledger gives a journal that asserts each balance', async () => {
    const { text, headers } = await get('', { accept: 'text/html;q=0.5, text/x-hledger' });
    expect(headers.get('content-type')).toBe('text/x-hledger; charset=utf-8');
    expect(text).toMatch(/assets:wallets:BRL:[0-9a-f]{8} {2}-9\.50 BRL = 60\.00 BRL/);
  });

  it('a long range is queued as an export, and asking again gives the same one', async () => {
    const queued = await get('?from=2020-01-01');
    expect(queued.status).toBe(202);
    const made = queued.body['export'] as { id: string };
    expect(queued.headers.get('location')).toBe(`/v1/exports/${made.id}`);
    const finished = await send(world.url, 'GET', `/v1/exports/${made.id}?wait=30`, { token });
    expect(finished.body).toMatchObject({ status: 'done', rows: 3 });
  });

  it('a date is a day of the zone, and the day of `to` is included', async () => {
    const { body } = await get('?from=2026-01-01&to=2026-01-02&timezone=America/Sao_Paulo');
    expect(body['statement']).toMatchObject({
      from: '2026-01-01T00:00:00.000-03:00',
      to: '2026-01-03T00:00:00.000-03:00',
    });
  });

  it.each([
    ['?from=2026-13-01', {}, 400, 'INVALID_ARGUMENT', 'from'],
    ['?to=now', {}, 400, 'INVALID_ARGUMENT', 'to'],
    ['?timezone=Mars', {}, 400, 'INVALID_ARGUMENT', 'timezone'],
    ['?operation=theft', {}, 400, 'INVALID_ARGUMENT', 'operation'],
    ['?page=1', {}, 400, 'INVALID_ARGUMENT', 'page'],
    ['', { accept: 'image/png' }, 406, 'NOT_ACCEPTABLE', 'Accept'],
    ['?limit=1', { accept: 'text/csv' }, 400, 'INVALID_ARGUMENT', 'Accept'],
    ['?user=00000000-0000-4000-8000-000000000000', {}, 404, 'USER_NOT_FOUND', 'user'],
  ])('%s with the headers %j is refused with %i %s', async (query, headers, status, ...rest) => {
    const [reason, field] = rest;
    const refused = await get(query, headers);
    expect(refused.body).toMatchObject({ status, reason });
    expect(refused.body['field']).toBe(field);
  });
});
