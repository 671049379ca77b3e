import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createContract } from '../../tests/support/http/contract.ts';
import { openAccount, startGateway, type GatewayWorld } from '../../tests/support/http/gateway.ts';
import { listRoutes } from './index.ts';
import { createOpenApi } from './openapi/document.ts';

const contract = createContract(createOpenApi(listRoutes('BRL')));
const unknownId = '00000000-0000-4000-8000-000000000000';

let world: GatewayWorld;
let token: string;
let transactionId = '';
let exportId = '';

type Request = Omit<NonNullable<Parameters<typeof contract.send>[3]>, 'token'>;

const send = (method: string, path: string, request: Request = {}) =>
  contract.send(world.url, method, path, { token, ...request });

beforeAll(async () => {
  world = await startGateway();
  token = await openAccount(world, 'ana@example.com');
  const deposit = { operation: 'deposit', amount: '100.00', description: 'salary' };
  const headers = { 'idempotency-key': 'salary' };
  const made = await send('POST', '/v1/transactions', { body: deposit, headers });
  transactionId = String(made.body['id']);
  const order = { from: '2020-01-01', format: 'csv' };
  const created = await send('POST', '/v1/exports', { body: order });
  exportId = String(created.body['id']);
  const finished = await send('GET', `/v1/exports/${exportId}?wait=30`);
  expect(finished.body).toMatchObject({ status: 'done', rows: 1 });
});
afterAll(() => world.stop());

const deposit = { operation: 'deposit', amount: '1.00' };
const key = (name: string) => ({ 'idempotency-key': name });

/** Each answer is compared with the document; here is its status. */
describe('answers are as the OpenAPI document says', () => {
  it.each<[method: string, path: string, status: number, request?: Request]>([
    ['POST', '/v1/transactions', 201, { body: deposit, headers: key('one') }],
    ['POST', '/v1/transactions', 200, { body: deposit, headers: key('one') }],
    ['POST', '/v1/transactions', 200, { body: { ...deposit, dryRun: true }, headers: key('d') }],
    ['POST', '/v1/transactions', 400, { body: deposit }],
    ['POST', '/v1/transactions', 422, { body: { ...deposit, amount: 2 }, headers: key('one') }],
    ['POST', '/v1/transactions', 413, { body: ' '.repeat(300_000), headers: key('x') }],
    ['GET', '/v1/transactions?limit=1', 200],
    ['GET', '/v1/transactions?pageToken=x', 400],
    ['GET', '/v1/transactions/TRANSACTION', 200],
    ['GET', `/v1/transactions/${unknownId}`, 404],
    ['GET', '/v1/transactions/by-key/salary', 200],
    ['GET', '/v1/transactions/by-key/nothing', 404],
    ['GET', '/v1/wallets', 200],
    ['GET', '/v1/wallets?pageToken=x', 400],
    ['GET', '/v1/wallets/me/BRL', 200],
    ['GET', '/v1/wallets/me/XXX', 400],
    ['PATCH', '/v1/wallets/me/BRL', 403, { body: { status: 'frozen' } }],
    ['GET', '/v1/statements', 200],
    ['GET', '/v1/statements?limit=1&currency=BRL', 200],
    ['GET', '/v1/statements', 200, { headers: { accept: 'text/csv' } }],
    ['GET', '/v1/statements', 406, { headers: { accept: 'image/png' } }],
    ['GET', '/v1/statements?from=2020-01-01', 202],
    ['GET', '/v1/statements?timezone=Nowhere', 400],
    ['POST', '/v1/exports', 200, { body: { from: '2020-01-01', dryRun: true } }],
    ['POST', '/v1/exports', 400, { body: { from: 'yesterday' } }],
    ['GET', '/v1/exports?limit=1', 200],
    ['GET', '/v1/exports?limit=501', 400],
    ['GET', '/v1/exports/EXPORT', 200],
    ['GET', `/v1/exports/${unknownId}?wait=30`, 404],
    ['GET', '/v1/exports/EXPORT/file', 200],
    ['GET', '/v1/exports/EXPORT/file', 206, { headers: { range: 'bytes=1-2' } }],
    ['GET', '/v1/exports/EXPORT/file', 416, { headers: { range: 'bytes=1000000-' } }],
    ['GET', `/v1/exports/${unknownId}/file`, 404],
  ])('%s %s is answered with %i as documented', async (method, path, status, request = {}) => {
    const real = path.replace('TRANSACTION', transactionId).replace('EXPORT', exportId);
    expect((await send(method, real, request)).status).toBe(status);
  });

  const reads = listRoutes('BRL').filter(
    ({ method, credential }) => method === 'GET' && credential === 'required',
  );
  it.each(reads.map(({ path }) => path))(
    'GET %s without a credential is refused with 401 as documented',
    async (path) => {
      const names = { ':id': unknownId, ':currency': 'BRL', ':user': 'me', ':key': 'x' };
      const real = path.replace(/:\w+/g, (name) => names[name as keyof typeof names]);
      expect((await contract.send(world.url, 'GET', real)).status).toBe(401);
    },
  );

  it('each operation was called well, and was refused', () => {
    // Freezing takes staff.
    expect(contract.listMissing('well')).toEqual(['PATCH /v1/wallets/{user}/{currency}']);
    expect(contract.listMissing('refused')).toEqual([]);
  });
});

describe('the comparison with the document', () => {
  const answer = (status: number, body: object, headers: Record<string, string> = {}) => ({
    ...{ status, body: body as Record<string, unknown>, text: JSON.stringify(body) },
    headers: new Headers({
      'content-type': 'application/json',
      'x-request-id': 'x',
      'idempotency-key': 'x',
      ...headers,
    }),
  });
  const balance = {
    ...{ walletId: unknownId, userId: unknownId, currency: 'BRL', balance: '1.00', seq: 1 },
    asOf: '2026-11-22T21:42:11.000Z',
  };

  it.each([
    ['an unknown path', '/v1/nothing', answer(200, balance), 'has no GET'],
    ['a status', '/v1/wallets/me/BRL', answer(299, balance), 'is not documented'],
    ['a type', '/v1/wallets/me/BRL', answer(200, { ...balance, seq: '1' }), 'must be integer'],
    ['a member', '/v1/wallets/me/BRL', answer(200, { ...balance, a: 1 }), 'additional properties'],
    [
      'a content type',
      '/v1/wallets/me/BRL',
      answer(200, balance, { 'content-type': 'text/html' }),
      'content type text/html',
    ],
  ])('%s that is not documented is found', (_what, path, wrong, message) => {
    expect(() => contract.check('GET', path, wrong)).toThrow(message);
    contract.check('GET', '/v1/wallets/me/BRL', answer(200, balance));
  });
});
