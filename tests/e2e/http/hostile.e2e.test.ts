import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { sendRaw } from '../../support/http/raw.ts';
import {
  deposit,
  expectProblem,
  json,
  startHostileWorld,
  type Headers,
  type HostileWorld,
} from './hostile-world.ts';

let world: HostileWorld;
let port: number;
let cookie: string;
beforeAll(async () => {
  world = await startHostileWorld();
  ({ port, cookie } = world);
});
afterAll(() => world.dispose());
afterEach(() => world.expectUnchanged());

const moveByToken = (body: string | Buffer, headers: Headers = {}) =>
  world.move({ Authorization: world.authorization, ...headers }, body);

const nested = (depth: number, open: string, close: string) =>
  open.repeat(depth) + close.repeat(depth);
const depositOf = (fields: string) => `{"operation":"deposit",${fields}}`;

describe('a body', () => {
  it.each<[string, string | Buffer, number, string]>([
    ['that is no JSON', '{', 400, 'JSON_INVALID'],
    ['with a list', '[]', 400, 'INVALID_ARGUMENT'],
    ['with null', 'null', 400, 'INVALID_ARGUMENT'],
    ['that is empty', '', 400, 'INVALID_ARGUMENT'],
    ['with a wrong type', depositOf('"amount":true'), 400, 'INVALID_ARGUMENT'],
    ['with __proto__', depositOf('"amount":1,"__proto__":{"x":1}'), 400, 'JSON_INVALID'],
    ['with constructor', depositOf('"amount":1,"constructor":{}'), 400, 'INVALID_ARGUMENT'],
    ['with a key twice', depositOf('"amount":1,"amount":2'), 400, 'JSON_INVALID'],
    ['with an inexact number', depositOf('"amount":90071992547409.93'), 400, 'JSON_INVALID'],
    ['with a number near zero', '{"operation":1e-400,"amount":1}', 400, 'JSON_INVALID'],
    ['with a number above all', depositOf('"amount":1e400'), 400, 'JSON_INVALID'],
    ['of 257 KiB', ' '.repeat(257 * 1024), 413, 'BODY_TOO_LARGE'],
    ['100,000 lists deep', nested(100_000, '[', ']'), 400, 'JSON_INVALID'],
    ['100,000 brackets long', '['.repeat(100_000), 400, 'JSON_INVALID'],
    ['30,000 objects deep', nested(30_000, '{"a":', '}'), 400, 'JSON_INVALID'],
    [
      'with a very long text',
      depositOf(`"amount":"${'9'.repeat(250_000)}"`),
      400,
      'INVALID_ARGUMENT',
    ],
    [
      'with 10,000 keys',
      `{${Array.from({ length: 10_000 }, (_x, i) => `"k${i}":1`).join()}}`,
      400,
      'INVALID_ARGUMENT',
    ],
    ['with half a character', depositOf('"amount":1,"description":"\\ud800"'), 400, 'JSON_INVALID'],
    ['with a NUL', depositOf('"amount":1,"description":"a\\u0000"'), 400, 'INVALID_ARGUMENT'],
    [
      'that is Latin-1',
      Buffer.from(depositOf('"amount":1,"description":"\xe9"'), 'latin1'),
      400,
      'JSON_INVALID',
    ],
    ['with a byte order mark', `\ufeff${deposit}`, 400, 'JSON_INVALID'],
  ])('a body %s is refused, and nothing is done', async (_what, body, status, reason) => {
    expectProblem(await moveByToken(body), status, reason);
    expectProblem(await world.move({ Cookie: cookie }, body), status, reason);
  });

  it.each([
    ['compressed', { 'Content-Encoding': 'gzip' }],
    ['compressed twice', { 'Content-Encoding': 'gzip, br' }],
    ['in UTF-16', { 'Content-Type': 'application/json; charset=utf-16' }],
    ['of a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['of a form as text', { 'Content-Type': 'text/plain' }],
    ['of a form in parts', { 'Content-Type': 'multipart/form-data; boundary=x' }],
    ['of no type', { 'Content-Type': '' }],
    ['of a type like JSON', { 'Content-Type': 'application/jsonx' }],
  ])('a body %s is refused with 415', async (_what, headers) => {
    expectProblem(await moveByToken(deposit, headers), 415, 'MEDIA_TYPE_UNSUPPORTED');
    expectProblem(await world.move({ Cookie: cookie, ...headers }), 415, 'MEDIA_TYPE_UNSUPPORTED');
  });

  it('a body of 1,001 items, or of lines without end, is no batch', async () => {
    const item = depositOf('"amount":1,"idempotencyKey":"k"');
    const batch = (body: string, type: string) =>
      world.send('POST', '/v1/transactions/batch', { 'Content-Type': type, Cookie: cookie }, body);
    const items = `{"items":[${Array(1_001).fill(item).join()}]}`;
    expectProblem(await batch(items, 'application/json'), 400, 'INVALID_ARGUMENT');
    const lines = `${item}\n`.repeat(1_001);
    expectProblem(await batch(lines, 'application/x-ndjson'), 400, 'INVALID_ARGUMENT');
    const endless = '1\n'.repeat(520_000);
    expectProblem(await batch(endless, 'application/x-ndjson'), 400, 'INVALID_ARGUMENT');
    const tooLong = '1\n'.repeat(530_000);
    expectProblem(await batch(tooLong, 'application/x-ndjson'), 413, 'BODY_TOO_LARGE');
  });
});

describe('a request', () => {
  const head = `POST /wallet/transaction HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n`;
  const raw = (lines: string, body = deposit) => `${head}Cookie: ${cookie}\r\n${lines}\r\n${body}`;
  const chunks = 'Transfer-Encoding: chunked\r\n';
  const length = `Content-Length: ${deposit.length}\r\n`;

  it.each<[string, () => string | Buffer, number, string]>([
    [
      'with a length and chunks',
      () => raw(`${length}${chunks}`, '0\r\n\r\n'),
      400,
      'REQUEST_MALFORMED',
    ],
    ['with two lengths', () => raw(`${length}Content-Length: 3\r\n`), 400, 'REQUEST_MALFORMED'],
    ['with a negative length', () => raw('Content-Length: -1\r\n'), 400, 'REQUEST_MALFORMED'],
    [
      'with a chunk of no size',
      () => raw(chunks, 'zz\r\n{}\r\n0\r\n\r\n'),
      400,
      'REQUEST_MALFORMED',
    ],
    [
      'with an endless chunk',
      () => raw(chunks, `${'f'.repeat(20)}\r\n{}`),
      400,
      'REQUEST_MALFORMED',
    ],
    [
      'in another coding',
      () => raw('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
      400,
      'REQUEST_MALFORMED',
    ],
    [
      'with 1 MiB of headers',
      () => `${head}X: ${'a'.repeat(2 ** 20)}\r\n\r\n`,
      431,
      'HEADERS_TOO_LARGE',
    ],
    ['with 1,000 headers', () => `${head}${'a:\r\n'.repeat(1_000)}\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['with a folded header', () => raw(`X: a\r\n b\r\n${length}`), 400, 'REQUEST_MALFORMED'],
    ['with a blank after a name', () => raw(`X : a\r\n${length}`), 400, 'REQUEST_MALFORMED'],
    ['with a NUL in a header', () => raw(`X: a\0\r\n${length}`), 400, 'REQUEST_MALFORMED'],
    [
      'with lines that end in LF',
      () => 'GET /v1/me HTTP/1.1\nHost: 127.0.0.1\n\n',
      400,
      'REQUEST_MALFORMED',
    ],
    ['without a Host', () => 'GET /v1/me HTTP/1.1\r\n\r\n', 400, 'REQUEST_MALFORMED'],
    ['of HTTP/1.0 without a Host', () => 'GET /v1/me HTTP/1.0\r\n\r\n', 401, 'CREDENTIALS_MISSING'],
    ['with two Hosts', () => raw(`Host: evil.example\r\n${length}`), 400, 'REQUEST_MALFORMED'],
    [
      'with two keys',
      () => raw(`Idempotency-Key: a\r\nIdempotency-Key: b\r\n${length}`),
      400,
      'REQUEST_MALFORMED',
    ],
    ['that expects more', () => raw(`Expect: tea\r\n${length}`), 400, 'REQUEST_MALFORMED'],
    ['of HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'REQUEST_MALFORMED'],
    ['of TLS', () => Buffer.from('16030100c8010000c40303', 'hex'), 400, 'REQUEST_MALFORMED'],
    [
      'with an unknown method',
      () => 'BREW / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
      400,
      'REQUEST_MALFORMED',
    ],
    [
      'for a tunnel',
      () => 'CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n',
      405,
      'METHOD_NOT_ALLOWED',
    ],
    [
      'with a NUL in its path',
      () => 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n',
      400,
      'REQUEST_MALFORMED',
    ],
    [
      'with a body to a GET',
      () => 'GET /v1/me HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx',
      400,
      'REQUEST_MALFORMED',
    ],
  ])('a request %s is refused, and its connection closed', async (_what, bytes, status, reason) => {
    const answer = await sendRaw(port, bytes());
    expectProblem(answer, status, reason);
    expect(answer.isClosed || reason === 'REQUEST_MALFORMED').toBe(true);
  });

  it.each([
    ['GET', '/nothing', 404, 'ROUTE_NOT_FOUND', undefined],
    ['POST', '/nothing', 404, 'ROUTE_NOT_FOUND', undefined],
    ['GET', '//auth/me', 404, 'ROUTE_NOT_FOUND', undefined],
    ['OPTIONS', '*', 404, 'ROUTE_NOT_FOUND', undefined],
    ['DELETE', '/v1/transactions', 405, 'METHOD_NOT_ALLOWED', 'GET, POST'],
    ['DELETE', 'http://127.0.0.1/v1/transactions', 405, 'METHOD_NOT_ALLOWED', 'GET, POST'],
    ['POST', '/healthz', 405, 'METHOD_NOT_ALLOWED', 'GET'],
    ['DELETE', '/openapi.json', 405, 'METHOD_NOT_ALLOWED', 'GET'],
    ['OPTIONS', '/v1/me', 405, 'METHOD_NOT_ALLOWED', 'GET'],
    ['TRACE', '/v1/me', 405, 'METHOD_NOT_ALLOWED', 'GET'],
    ['QUERY', '/v1/me', 405, 'METHOD_NOT_ALLOWED', 'GET'],
    ['PROPFIND', '/v1/me', 405, 'METHOD_NOT_ALLOWED', 'GET'],
    ['GET', 'ftp://127.0.0.1/v1/me', 400, 'URI_INVALID', undefined],
    ['GET', '/v1/transactions/by-key/%ff', 400, 'URI_INVALID', undefined],
    ['GET', '/v1/transactions/by-key/%zz', 400, 'URI_INVALID', undefined],
    ['GET', '/v1/transactions?user=%ff', 400, 'URI_INVALID', undefined],
    ['GET', '/v1/transactions?user=%', 400, 'URI_INVALID', undefined],
    ['GET', `/v1/transactions/by-key/${'a'.repeat(301)}`, 400, 'URI_INVALID', undefined],
    ['GET', '/v1/transactions?__proto__=1', 400, 'INVALID_ARGUMENT', undefined],
    ['GET', '/v1/transactions?constructor=1', 400, 'INVALID_ARGUMENT', undefined],
    ['GET', '/v1/transactions?limit=1&limit=2', 400, 'INVALID_ARGUMENT', undefined],
  ])('%s %s is answered with %i %s', async (method, target, status, reason, allow) => {
    const answer = await world.send(method, target, { Authorization: world.authorization });
    expectProblem(answer, status, reason);
    expect(answer.headers['allow']).toBe(allow);
  });

  it('HEAD is answered with the methods of the path, and without a body', async () => {
    const answer = await world.send('HEAD', '/v1/me');
    expect(answer).toMatchObject({ status: 405, text: '', headers: { allow: 'GET' } });
  });

  it('a request for another protocol is answered in this one', async () => {
    const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket' };
    expectProblem(await world.send('GET', '/v1/me', upgrade), 401, 'CREDENTIALS_MISSING');
    expectProblem(await moveByToken('{', { Expect: '100-continue' }), 400, 'JSON_INVALID');
  });

  it('a field that is named like a member of each object is named by the refusal', async () => {
    const body = JSON.stringify({ email: 'a@b.co', password: 'x', constructor: 1 });
    const refused = await world.send('POST', '/v1/sign-in', json, body);
    expect(refused.body).toMatchObject({ reason: 'INVALID_ARGUMENT', field: 'constructor' });
  });
});
