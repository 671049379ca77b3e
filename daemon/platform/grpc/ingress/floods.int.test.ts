import { once } from 'node:events';
import { constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { afterEach, describe, expect, it } from 'vitest';

import { floods, greeting } from '../../../../tests/fuzz/flood-bytes.ts';
import { types } from '../../../../tests/fuzz/http2-bytes.ts';
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

const none = Buffer.alloc(0);
const unary = '/test.Test/source';
const bidi = '/test.Test/talk';
const paths = { unary, bidi, health: '/grpc.health.v1.Health/Check' };

async function start(isFastPathOn: boolean): Promise<TestServer> {
  const stand = await startTestServer({}, [], { isFastPathOn });
  releases.push(stand.stop);
  return stand;
}

function open(address: string): RawClient {
  const raw = connectRaw(address);
  releases.push(() => raw.close());
  return raw;
}

async function connectBare(address: string): Promise<Socket> {
  const [host = '', port] = address.split(':');
  const socket = connect(Number(port), host);
  socket.on('error', () => undefined);
  socket.on('data', () => undefined);
  releases.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(greeting);
  return socket;
}

function framesOf(bytes: Buffer): { readonly type: number; readonly payload: Buffer }[] {
  const frames = [];
  for (let at = 0; at + 9 <= bytes.length;) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    frames.push({ type: bytes.readUInt8(at + 3), payload: bytes.subarray(at + 9, end) });
    at = end;
  }
  return frames;
}

const ana = { headers: { authorization: 'User ana' }, messages: [Buffer.from('?')] };
const framed = (bytes: Buffer, flag = 0): Buffer => {
  const start = Buffer.from([flag, 0, 0, 0, 0]);
  start.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([start, bytes]);
};

describe.each([true, false])('with the fast path %s', (isFastPathOn) => {
  describe('floods', () => {
    it.each(Object.keys(floods))(
      'a connection that sends %s is cut, and another is served',
      async (name) => {
        const { address } = await start(isFastPathOn);
        const good = open(address);
        const socket = await connectBare(address);
        const closed = once(socket, 'close');
        socket.write(floods[name]?.(paths, 1) ?? none);
        expect(await good.call(unary, ana)).toMatchObject({ status: 0 });
        await closed;
        expect(await good.call(unary, ana)).toMatchObject({ status: 0 });
        expect(good.session.closed).toBe(false);
      },
    );
  });

  it('a connection that is cut for a flood gets ENHANCE_YOUR_CALM', async () => {
    const { address } = await start(isFastPathOn);
    const socket = await connectBare(address);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const closed = once(socket, 'close');
    socket.write(floods['priorities']?.(paths, 1) ?? none);
    await closed;
    const goneAway = framesOf(Buffer.concat(chunks)).find(({ type }) => type === types.goaway);
    expect(goneAway?.payload.readUInt32BE(4)).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  describe('allowed traffic', () => {
    it('a short message byte by byte is allowed, on any path', async () => {
      const { address } = await start(isFastPathOn);
      const raw = open(address);
      for (const path of [unary, bidi]) {
        const stream = raw.open(path, { ...ana, messages: [], staysOpen: true });
        const answer = readAnswer(stream);
        for (const one of framed(Buffer.alloc(300, 7))) {
          stream.write(Buffer.from([one]));
          await new Promise((resolve) => setImmediate(resolve));
        }
        stream.end();
        expect(await answer).toMatchObject({ status: 0 });
      }
    });

    it('the largest message in frames of 16 KiB, 1 KiB and 64 bytes is allowed', async () => {
      const { address } = await start(isFastPathOn);
      const message = framed(Buffer.alloc(256 * 1024, 7));
      for (const size of [16_384, 1_000, 64]) {
        const raw = open(address);
        const stream = raw.open(unary, { ...ana, messages: [], staysOpen: true });
        const answer = readAnswer(stream);
        for (let at = 0; at < message.length; at += size) {
          if (!stream.write(message.subarray(at, at + size))) await once(stream, 'drain');
        }
        stream.end();
        expect(await answer).toMatchObject({ status: 0 });
      }
    });

    it('a stream of many small frames beside cancelled calls is allowed', async () => {
      const { address } = await start(isFastPathOn);
      const raw = open(address);
      const stream = raw.open(bidi, { ...ana, messages: [], staysOpen: true });
      const answer = readAnswer(stream);
      const message = Buffer.alloc(40, 7);
      for (let i = 0; i < 30_000; i += 1) {
        if (!stream.write(framed(message))) await once(stream, 'drain');
      }
      stream.end();
      for (let i = 0; i < 50; i += 1) raw.open(unary, { ...ana, staysOpen: true }).close(8);
      const { status, body } = await answer;
      expect(status).toBe(0);
      expect(body.length).toBe(30_000 * 45);
      expect(raw.session.closed).toBe(false);
    }, 60_000);

    it('an answer that is read in small parts is allowed', async () => {
      const { address } = await start(isFastPathOn);
      const raw = open(address);
      const large = { ...ana, messages: [Buffer.from([3])] };
      for (let i = 0; i < 20; i += 1) {
        expect(await raw.call('/test.Test/large', large)).toMatchObject({ status: 0 });
      }
      await sleep(300);
      expect(raw.session.closed).toBe(false);
    }, 60_000);

    it('2,000 calls without a credential do not close their connection', async () => {
      const { address } = await start(isFastPathOn);
      const raw = open(address);
      const ask = async (): Promise<void> => {
        for (let i = 0; i < 40; i += 1) {
          expect(await raw.call(unary, { messages: [Buffer.from('?')] })).toMatchObject({
            status: 16,
          });
        }
      };
      await Promise.all(Array.from({ length: 50 }, ask));
      expect(raw.session.closed).toBe(false);
    }, 60_000);
  });

  it('compressed messages of a stream are unpacked and answered in order', async () => {
    const { address } = await start(isFastPathOn);
    const raw = open(address);
    const encoded = { ...ana.headers, 'grpc-encoding': 'gzip' };
    const stream = raw.open(bidi, { headers: encoded, messages: [], staysOpen: true });
    const answer = readAnswer(stream);
    const texts = Array.from({ length: 500 }, (_, i) => `message ${i}`);
    stream.end(Buffer.concat(texts.map((text) => framed(gzipSync(text), 1))));
    const { status, body } = await answer;
    expect(status).toBe(0);
    expect(body.toString('latin1').match(/message \d+/g)).toEqual(texts);
  });

  it('the credential of a stream is checked before a message is read', async () => {
    const { address } = await start(isFastPathOn);
    const raw = open(address);
    const headers = { authorization: 'Unknown', 'grpc-encoding': 'gzip' };
    const refused = { status: 16, info: { reason: 'TOKEN_INVALID' } };
    // Neither a message that never comes nor one that cannot be unpacked matters.
    const silent = raw.open(bidi, { headers, staysOpen: true });
    expect(await readAnswer(silent)).toMatchObject(refused);
    const broken = raw.open(bidi, { headers, staysOpen: true });
    broken.write(framed(Buffer.from('not gzip'), 1));
    expect(await readAnswer(broken)).toMatchObject(refused);
    const known = raw.open(bidi, { headers: { ...headers, ...ana.headers }, staysOpen: true });
    known.write(framed(Buffer.from('not gzip'), 1));
    expect(await readAnswer(known)).not.toMatchObject({ status: 16 });
  });

  it('a stream with an unknown credential is refused with TOKEN_INVALID', async () => {
    const { address } = await start(isFastPathOn);
    const raw = open(address);
    const answer = await raw.call(bidi, {
      headers: { authorization: 'Unknown', 'x-request-id': 'given-by-the-caller' },
      messages: [Buffer.from('?')],
    });
    expect(answer).toMatchObject({
      status: 16,
      info: { reason: 'TOKEN_INVALID', metadata: { requestId: 'given-by-the-caller' } },
    });
  });
});
