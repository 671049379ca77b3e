import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, expect, it } from 'vitest';

import {
  connectRaw,
  readAnswer,
  type RawClient,
} from '../../../../tests/support/grpc/raw-http2.ts';
import { startTestServer, type TestServer } from '../test-support.ts';

type Way = { readonly stand: TestServer; readonly raw: RawClient };
let fast: Way;
let library: Way;

async function start(isFastPathOn: boolean): Promise<Way> {
  const stand = await startTestServer({}, ['127.0.0.1'], { isFastPathOn });
  return { stand, raw: connectRaw(stand.address) };
}

beforeAll(async () => {
  fast = await start(true);
  library = await start(false);
});
afterAll(async () => {
  for (const { stand, raw } of [fast, library]) {
    raw.close();
    await stand.stop();
  }
});

const framed = (bytes: Buffer, flag = 0): Buffer => {
  const head = Buffer.from([flag, 0, 0, 0, 0]);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};
const message = framed(Buffer.from('?'));

type Sent = {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly bytes?: Buffer;
  /** The library's text names a server streaming method, also where the method is unary. */
  readonly hasOwnText?: boolean;
};

/** Calls that the two ways must answer with the same status, message, details and headers. */
const calls: Readonly<Record<string, Sent>> = {
  'a call': { bytes: message },
  'a call with a trace id': { bytes: message, headers: { 'x-request-id': 'given-by-caller' } },
  'a call with a deadline in hours': { bytes: message, headers: { 'grpc-timeout': '99999999H' } },
  'a call with a deadline of nothing': { bytes: message, headers: { 'grpc-timeout': '0n' } },
  'a call with an unreadable deadline': { bytes: message, headers: { 'grpc-timeout': 'soon' } },
  'a call past its deadline': {
    path: 'wait',
    bytes: message,
    headers: { 'grpc-timeout': '200m' },
  },
  'a call that a proxy forwarded': {
    bytes: message,
    headers: { 'x-forwarded-for': '203.0.113.7' },
  },
  'a call without a credential': { bytes: message, headers: { authorization: '' } },
  'a call with an unknown credential': { bytes: message, headers: { authorization: 'Bearer x' } },
  'a public call': { path: 'refresh', bytes: message, headers: { authorization: '' } },
  'an empty message': { bytes: framed(Buffer.alloc(0)) },
  'no message': { hasOwnText: true },
  'a part of a head': { bytes: message.subarray(0, 3), hasOwnText: true },
  'a part of a message': { bytes: framed(Buffer.from('??')).subarray(0, 6), hasOwnText: true },
  'two messages': { bytes: Buffer.concat([message, message]), hasOwnText: true },
  'a message that is too large': { bytes: framed(Buffer.alloc(256 * 1024 + 1)) },
  'a message with an unknown compression flag': { bytes: framed(Buffer.from('?'), 2) },
  'a message that is compressed without an encoding': {
    bytes: framed(gzipSync(Buffer.from('?')), 1),
  },
  'a compressed message': {
    bytes: framed(gzipSync(Buffer.from('?')), 1),
    headers: { 'grpc-encoding': 'gzip' },
  },
  'an answer of two MiB': { path: 'large', bytes: framed(Buffer.from([2])) },
  'an answer that is too large': { path: 'large', bytes: framed(Buffer.from([5])) },
  'an unknown method': { path: 'nothing', bytes: message },
  'a content type of another protocol': {
    bytes: message,
    headers: { 'content-type': 'application/json' },
  },
};

type Headers = Readonly<Record<string, unknown>>;

/** They differ in each call, or say which compression the library supports. */
const ignoredHeaders = new Set(['date', 'x-request-id', 'grpc-accept-encoding', 'grpc-encoding']);

async function answerOf({ raw }: Way, sent: Sent): Promise<object> {
  const { path = 'source', headers = {}, bytes, hasOwnText = false } = sent;
  const given = Object.entries({ authorization: 'User ana', ...headers });
  const stream = raw.open(`/test.Test/${path}`, {
    headers: Object.fromEntries(given.filter(([, value]) => value !== '')),
    staysOpen: true,
  });
  let first: Headers = {};
  stream.on('response', (it: Headers) => (first = it));
  const answer = readAnswer(stream);
  stream.end(bytes);
  const { info, body, status, message: text, rstCode } = await answer;
  const { requestId, ...metadata } = info?.metadata ?? {};
  expect(requestId).not.toBe('');
  // The library sends "OK" after a success, the fast path no text.
  const isTextIgnored = status === 0 || hasOwnText;
  const listed = Object.entries(first).filter(
    ([name]) => !ignoredHeaders.has(name) && !name.startsWith('grpc-'),
  );
  return {
    ...{ status, rstCode, text: isTextIgnored ? undefined : text },
    ...{ reason: info?.reason, metadata, headers: Object.fromEntries(listed) },
    ...{ bytes: body.length, body: body.subarray(0, 100).toString() },
  };
}

it.each(Object.keys(calls))('%s is answered alike with and without the fast path', async (name) => {
  const sent = calls[name] ?? {};
  expect(await answerOf(fast, sent)).toEqual(await answerOf(library, sent));
  for (const { stand } of [fast, library]) stand.answerWaiting();
  await sleep(20);
  for (const { stand } of [fast, library]) {
    expect(stand.server.readCounts()).toMatchObject({ openCalls: 0 });
  }
});

it('the fast path refuses a part of a second message, and the library ignores it', async () => {
  const sent = { bytes: Buffer.concat([message, message.subarray(0, 2)]) };
  expect(await answerOf(fast, sent)).toMatchObject({ status: 12 });
  expect(await answerOf(library, sent)).toMatchObject({ status: 0 });
});
