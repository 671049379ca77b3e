import type { IncomingMessage } from 'node:http';

import { expect, it } from 'vitest';

import { findMalformation, toOriginForm } from './well-formed.ts';

/** As Node reads them: a repeated Host or Authorization is left out, others are joined. */
function requestOf(pairs: readonly (readonly [string, string])[], url = '/', httpVersion = '1.1') {
  const headers: Record<string, string> = {};
  for (const [name, value] of pairs) headers[name.toLowerCase()] ??= value;
  const rawHeaders = pairs.flat();
  return { headers, rawHeaders, httpVersion, url } as unknown as IncomingMessage;
}

it.each<[string, readonly (readonly [string, string])[], string | undefined]>([
  ['with what clients send', [['Accept', '*/*']], undefined],
  [
    'with two cookie headers',
    [
      ['Cookie', 'a=1'],
      ['Cookie', 'b=2'],
    ],
    undefined,
  ],
  ['with two Hosts', [['host', 'b']], 'REQUEST_MALFORMED'],
  [
    'with two tokens',
    [
      ['Authorization', 'a'],
      ['AUTHORIZATION', 'a'],
    ],
    'REQUEST_MALFORMED',
  ],
  [
    'with two keys',
    [
      ['Idempotency-Key', 'a'],
      ['idempotency-key', 'b'],
    ],
    'REQUEST_MALFORMED',
  ],
  ['with a plain body', [['Content-Encoding', 'identity']], undefined],
  ['with a compressed body', [['Content-Encoding', 'GZIP']], 'MEDIA_TYPE_UNSUPPORTED'],
  ['in chunks', [['Transfer-Encoding', 'Chunked']], undefined],
  ['in another coding', [['Transfer-Encoding', 'gzip, chunked']], 'REQUEST_MALFORMED'],
  ['that waits for 100', [['Expect', '100-Continue']], undefined],
  ['that expects another thing', [['Expect', 'tea']], 'REQUEST_MALFORMED'],
])('a request %s is well formed or refused: %o', (_what, pairs, reason) => {
  const request = requestOf([['Host', 'a'], ...pairs]);
  expect(findMalformation(request, false)?.reason).toBe(reason);
});

it('a GET with a body is malformed, and a request without a Host, but for HTTP/1.0', () => {
  const length = requestOf([
    ['Host', 'a'],
    ['Content-Length', '1'],
  ]);
  expect(findMalformation(length, true)?.reason).toBe('REQUEST_MALFORMED');
  expect(findMalformation(length, false)).toBeUndefined();
  const empty = requestOf([
    ['Host', 'a'],
    ['Content-Length', '0'],
  ]);
  expect(findMalformation(empty, true)).toBeUndefined();
  expect(findMalformation(requestOf([]), false)?.metadata).toEqual({ field: 'Host' });
  expect(findMalformation(requestOf([], '/readyz', '1.0'), false)).toBeUndefined();
});

it.each([
  ['/a?b=%C3%A9', undefined],
  ['/a%2Fb', undefined],
  ['/a?b=%', 'URI_INVALID'],
  ['/a?b=%f', 'URI_INVALID'],
  ['/a?b=%ff', 'URI_INVALID'],
  ['/%c0%ae', 'URI_INVALID'],
  ['/%ed%a0%80', 'URI_INVALID'],
])('the target %s has the fault %s', (url, reason) => {
  expect(findMalformation(requestOf([['Host', 'a']], url), false)?.reason).toBe(reason);
});

it.each([
  ['/a?b', '/a?b', 'h'],
  ['http://other:1/a?b', '/a?b', 'other:1'],
  ['HTTPS://other', '/', 'other'],
  ['http://other?b', '/?b', 'other'],
  ['http:///a', '/a', ''],
  ['http://x@other/a', '/a', 'x@other'],
  ['*', '*', 'h'],
  ['ftp://other/a', 'ftp://other/a', 'h'],
])('the target %s is the path %s of the host %s', (url, path, host) => {
  const request = requestOf([['Host', 'h']], url);
  expect(toOriginForm(request)).toBe(path);
  expect(request.headers.host).toBe(host);
});
