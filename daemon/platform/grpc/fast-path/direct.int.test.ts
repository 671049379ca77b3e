import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  connectRaw,
  readAnswer,
  type RawClient,
} from '../../../../tests/support/grpc/raw-http2.ts';
import { startTestServer, type TestServer } from '../test-support.ts';

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

let isFastPathOn = true;

async function start(): Promise<TestServer & { readonly raw: RawClient }> {
  const stand = await startTestServer({}, [], { isFastPathOn });
  releases.push(stand.stop);
  const raw = connectRaw(stand.address);
  releases.push(() => raw.close());
  return { ...stand, raw };
}

const headers = { authorization: 'User ana' };
const source = '/test.Test/source';
const message = Buffer.from('?');
const framed = (bytes: Buffer, flag = 0): Buffer => {
  const head = Buffer.from([flag, 0, 0, 0, 0]);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};

describe.each([true, false])('with the fast path %s', (isOn) => {
  beforeAll(() => {
    isFastPathOn = isOn;
  });

  describe('unary calls', () => {
    it('a unary call is answered with headers, one message and a status after it', async () => {
      const { raw } = await start();
      const stream = raw.open(source, { headers, messages: [message] });
      const seen: string[] = [];
      stream.on('response', (answer) => {
        seen.push(`headers ${String(answer[':status'])} ${answer['content-type'] ?? ''}`);
      });
      stream.on('data', (chunk: Buffer) => seen.push(`message ${chunk.subarray(5).toString()}`));
      stream.on('trailers', (trailers: Record<string, string>) => {
        seen.push(`status ${trailers['grpc-status'] ?? ''}`);
      });
      await once(stream, 'close');
      expect(seen).toEqual(['headers 200 application/grpc+proto', 'message 127.0.0.1', 'status 0']);
    });

    it('a unary call whose message arrives byte by byte is answered', async () => {
      const { raw } = await start();
      const stream = raw.open(source, { headers, staysOpen: true });
      const answer = readAnswer(stream);
      for (const byte of framed(message)) {
        stream.write(Buffer.from([byte]));
        await sleep(2);
      }
      stream.end();
      expect(await answer).toMatchObject({ status: 0 });
    });

    it('a unary call without a message, with half of one, or with two is refused', async () => {
      const { raw } = await start();
      expect(await raw.call(source, { headers })).toMatchObject({ status: 12 });
      const half = raw.open(source, { headers, staysOpen: true });
      half.end(framed(message).subarray(0, 3));
      expect(await readAnswer(half)).toMatchObject({ status: 12 });
      const two = { headers, messages: [message, message] };
      expect(await raw.call(source, two)).toMatchObject({ status: 12 });
    });

    it('a unary call of more than 256 KiB is refused before it has arrived', async () => {
      const { raw } = await start();
      const stream = raw.open(source, { headers, staysOpen: true });
      stream.write(Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]));
      expect(await readAnswer(stream)).toMatchObject({ status: 8 });
      const most = { headers, messages: [Buffer.alloc(256 * 1024)] };
      expect(await raw.call(source, most)).toMatchObject({ status: 0 });
    });

    it('a compressed unary call is read', async () => {
      const { raw } = await start();
      const stream = raw.open(source, {
        headers: { ...headers, 'grpc-encoding': 'gzip' },
        staysOpen: true,
      });
      stream.end(framed(gzipSync(message), 1));
      expect(await readAnswer(stream)).toMatchObject({ status: 0 });
    });

    it('a unary call of an unknown method, or that is not gRPC, is refused', async () => {
      const { raw } = await start();
      expect(await raw.call('/test.Test/nothing', { headers })).toMatchObject({ status: 12 });
      const json = { ...headers, 'content-type': 'application/json' };
      const stream = raw.open(source, { headers: json, messages: [message] });
      const [answer] = (await once(stream, 'response')) as [Record<string, unknown>];
      expect(answer[':status']).toBe(415);
    });

    it('a unary call without a credential gets a complete refusal', async () => {
      const { raw } = await start();
      const given = { 'x-request-id': 'given-by-the-caller' };
      const answer = await raw.call(source, { headers: given, messages: [message] });
      expect(answer).toMatchObject({
        status: 16,
        info: {
          reason: 'TOKEN_INVALID',
          domain: 'digitalwallet',
          metadata: { requestId: 'given-by-the-caller' },
        },
      });
    });

    it('a unary call is answered with DEADLINE_EXCEEDED at its deadline', async () => {
      const { raw, server, answerWaiting } = await start();
      const late = { ...headers, 'grpc-timeout': '300m' };
      const answer = await raw.call('/test.Test/wait', { headers: late, messages: [message] });
      expect(answer).toMatchObject({ status: 4 });
      answerWaiting();
      expect(await raw.call(source, { headers, messages: [message] })).toMatchObject({ status: 0 });
      await server.stop(2_000);
    });

    it('a cancelled unary call does not block its connection', async () => {
      const { raw, server, answerWaiting } = await start();
      const streams = Array.from({ length: 50 }, () =>
        raw.open('/test.Test/wait', { headers, messages: [message] }),
      );
      await sleep(200);
      for (const stream of streams) stream.close(8);
      expect(await raw.call(source, { headers, messages: [message] })).toMatchObject({ status: 0 });
      answerWaiting();
      await server.stop(2_000);
    });

    it('unary calls cancelled within their message do not block the connection', async () => {
      const { raw } = await start();
      const streams = Array.from({ length: 20 }, () => {
        const stream = raw.open(source, { headers, staysOpen: true });
        stream.write(framed(message).subarray(0, 5));
        return stream;
      });
      await sleep(100);
      for (const stream of streams) stream.close(8);
      expect(await raw.call(source, { headers, messages: [message] })).toMatchObject({ status: 0 });
    });
  });
});
