import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  connectRaw,
  readAnswer,
  type RawClient,
} from '../../../../tests/support/grpc/raw-http2.ts';
import { loadLimits } from './load-limits.ts';
import type { Limits } from '../server.ts';
import { sessionLimits } from '../ingress/sessions.ts';
import { startTestServer, type TestServer } from '../test-support.ts';

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

let isFastPathOn = true;

async function start(limits: Partial<Limits> = {}, proxies: string[] = []): Promise<TestServer> {
  const stand = await startTestServer(limits, proxies, { isFastPathOn });
  releases.push(stand.stop);
  return stand;
}

function client(address: string, settings?: Record<string, number>): RawClient {
  const raw = connectRaw(address, settings);
  releases.push(() => raw.close());
  return raw;
}

const as = (authorization: string) => ({
  headers: { authorization },
  messages: [Buffer.from('?')],
});
const ana = as('User ana');

describe.each([true, false])('with the fast path %s', (isOn) => {
  beforeAll(() => {
    isFastPathOn = isOn;
  });

  describe('requests', () => {
    it('a request that is not complete in time is refused, and its stream is closed', async () => {
      const { address } = await start({ sessions: { ...sessionLimits, requestMs: 500 } });
      const raw = client(address);
      // With a credential: without one the library is not let read at all.
      const half = raw.open('/test.Test/wait', { headers: ana.headers, staysOpen: true });
      half.write(Buffer.from([0, 0, 0, 1, 0, 42]));
      const streams = [half, raw.open('/test.Test/signIn', { staysOpen: true })];
      const answers = await Promise.all(streams.map(readAnswer));
      expect(answers.map((answer) => answer.status)).toEqual([4, 4]);
      expect(await raw.call('/test.Test/source', ana)).toMatchObject({ status: 0 });
    });

    it.each(['wait', 'pour', 'stream'])(
      'a request of %s that ends within a message is refused',
      async (name) => {
        const { address } = await start();
        const raw = client(address);
        for (const body of [Buffer.from([0, 0, 0, 1, 0, 42]), Buffer.from([0]), Buffer.alloc(0)]) {
          // The credential is still being looked at when the request is over.
          const headers = { authorization: 'Slow ana' };
          const half = raw.open(`/test.Test/${name}`, { headers, staysOpen: true });
          half.write(body);
          half.end();
          // UNIMPLEMENTED is how the library refuses a call without a whole message.
          const { status, message } = await readAnswer(half);
          expect(status).toBe(12);
          expect(message).toContain('Received no request message');
        }
      },
      5_000,
    );

    it('a request that ends before its credential is checked is answered', async () => {
      const { address } = await start();
      const slow = { headers: { authorization: 'Slow ana' } };
      const raw = client(address);
      const messages = [Buffer.from('1'), Buffer.from('2')];
      const talk = await raw.call('/test.Test/talk', { ...slow, messages });
      expect(talk).toMatchObject({ status: 0 });
      expect(await raw.call('/test.Test/talk', slow)).toMatchObject({ status: 0 });
      expect(
        await raw.call('/test.Test/stream', { ...slow, messages: [Buffer.from('1')] }),
      ).toMatchObject({ status: 0 });
    }, 5_000);

    it('a stream of requests has no deadline to be complete', async () => {
      const { address } = await start({ sessions: { ...sessionLimits, requestMs: 500 } });
      const raw = client(address);
      const stream = raw.open('/test.Test/talk', { ...ana, staysOpen: true });
      const answer = readAnswer(stream);
      await sleep(2_500);
      expect(stream.closed).toBe(false);
      stream.end();
      expect(await answer).toMatchObject({ status: 0 });
    });

    it('a stream without a credential is refused while its sender keeps it open', async () => {
      const { address } = await start();
      const raw = client(address);
      const stream = raw.open('/test.Test/talk', { staysOpen: true });
      const answer = await readAnswer(stream);
      expect(answer).toMatchObject({ status: 16, info: { reason: 'TOKEN_INVALID' } });
    });

    it('a request with 20 KiB of headers is refused', async () => {
      const { address } = await start();
      const raw = client(address);
      await new Promise((resolve) => raw.session.once('remoteSettings', resolve));
      const headers = { ...ana.headers, 'x-much': 'm'.repeat(20 * 1024) };
      const answer = await raw.call('/test.Test/source', { ...ana, headers });
      // Nothing is answered: its stream is reset with ENHANCE_YOUR_CALM.
      expect(answer).toMatchObject({ status: undefined, rstCode: 11 });
      expect(await raw.call('/test.Test/source', ana)).toMatchObject({ status: 0 });
    });
  });

  describe('answers that are not read', () => {
    it('unread answers end the connection after a time without progress', async () => {
      const { address } = await start({ sessions: { ...sessionLimits, stallMs: 1_500 } });
      const raw = client(address, { initialWindowSize: 0 });
      raw.open('/test.Test/source', ana);
      await raw.closed;
    });

    it('an endless stream whose answers are not read ends its connection', async () => {
      const { address } = await start({ sessions: { ...sessionLimits, stallMs: 1_500 } });
      const raw = client(address, { initialWindowSize: 0 });
      raw.open('/test.Test/pour', ana);
      await raw.closed;
    });

    it('a connection that reads slowly stays open', async () => {
      const { address } = await start({ sessions: { ...sessionLimits, stallMs: 2_000 } });
      const raw = client(address);
      const stream = raw.open('/test.Test/pour', ana);
      stream.pause();
      const end = Date.now() + 6_000;
      while (Date.now() < end) {
        await sleep(200);
        stream.read();
      }
      expect(raw.session.closed).toBe(false);
    });

    it('calls are OVERLOADED past 16 MiB of unread answers, until these are read', async () => {
      const { address } = await start();
      const raw = client(address, { initialWindowSize: 0 });
      const large = { ...ana, messages: [Buffer.from([3])] };
      const streams = Array.from({ length: 7 }, () => raw.open('/test.Test/large', large));
      const refused = await Promise.all(streams.slice(5).map(readAnswer));
      expect(refused.map((answer) => answer.status)).toEqual([8, 8]);
      const small = readAnswer(raw.open('/test.Test/source', ana));
      const taken = streams.slice(0, 5).map(readAnswer);
      await new Promise<void>((resolve) =>
        raw.session.settings({ initialWindowSize: 1 << 24 }, () => resolve()),
      );
      raw.session.setLocalWindowSize(1 << 26);
      expect((await Promise.all(taken)).map((answer) => answer.status)).toEqual([0, 0, 0, 0, 0]);
      expect(await small).toMatchObject({ status: 0 });
      expect(await raw.call('/test.Test/large', large)).toMatchObject({ status: 0 });
    });

    it('past the cap on all unread answers the connection that holds most is closed', async () => {
      const heldBytes = 8 * 1024 * 1024;
      const { address } = await start({ sessions: { ...sessionLimits, heldBytes } });
      const modest = client(address, { initialWindowSize: 0 });
      const greedy = client(address, { initialWindowSize: 0 });
      modest.open('/test.Test/large', { ...ana, messages: [Buffer.from([2])] });
      for (let i = 0; i < 3; i += 1) {
        greedy.open('/test.Test/large', { ...ana, messages: [Buffer.from([3])] });
      }
      await greedy.closed;
      expect(modest.session.closed).toBe(false);
    });
  });

  describe('calls in flight', () => {
    const limits = { load: { ...loadLimits, userCalls: 5, userStreams: 2, publicCalls: 6 } };

    it('calls of one user in flight have a cap, and others are served', async () => {
      const { address, answerWaiting } = await start(limits);
      const raw = client(address);
      const held = Array.from({ length: 5 }, () => raw.call('/test.Test/wait', ana));
      await sleep(200);
      const refused = await raw.call('/test.Test/wait', ana);
      expect(refused).toMatchObject({ status: 8 });
      expect(await raw.call('/test.Test/source', as('User bia'))).toMatchObject({ status: 0 });
      answerWaiting();
      expect((await Promise.all(held)).map((answer) => answer.status)).toEqual([0, 0, 0, 0, 0]);
      expect(await raw.call('/test.Test/source', ana)).toMatchObject({ status: 0 });
    });

    it('calls in a queue have a cap, past which a call is refused before it is read', async () => {
      const { address, answerWaiting } = await start({ load: { ...loadLimits, all: 4 } });
      const raw = client(address);
      const held = Array.from({ length: 4 }, () => raw.call('/test.Test/queue', ana));
      await sleep(200);
      // Neither a message nor an end: only the headers are there. The library is left to those with
      // a credential, and reads before it is asked.
      const headers = isOn ? {} : ana.headers;
      const messages = isOn ? [] : ana.messages;
      const half = raw.open('/test.Test/queue', { headers, messages, staysOpen: isOn });
      const refused = await readAnswer(half);
      expect(refused).toMatchObject({ status: 8, info: { reason: 'OVERLOADED' } });
      // Not for the cap on calls of all kinds, which is as high here; the library has taken one by
      // then.
      if (isOn) expect(refused.message).toContain('than it can do in time');
      expect(Number(refused.info?.metadata['retryAfterMs'])).toBeGreaterThanOrEqual(500);
      answerWaiting();
      expect((await Promise.all(held)).map((answer) => answer.status)).toEqual([0, 0, 0, 0]);
      const next = raw.call('/test.Test/queue', ana);
      await sleep(200);
      answerWaiting();
      expect(await next).toMatchObject({ status: 0 });
    });

    it('streams of one user have a separate cap', async () => {
      const { address } = await start(limits);
      const raw = client(address);
      for (let i = 0; i < 2; i += 1) raw.open('/test.Test/talk', { ...ana, staysOpen: true });
      await sleep(200);
      expect(await raw.call('/test.Test/talk', ana)).toMatchObject({ status: 8 });
      expect(await raw.call('/test.Test/source', ana)).toMatchObject({ status: 0 });
    });

    it('calls without a credential have a cap that does not affect others', async () => {
      const { address } = await start(limits);
      const raw = client(address);
      for (let i = 0; i < 6; i += 1) raw.open('/test.Test/signIn', as(''));
      await sleep(200);
      expect(await raw.call('/test.Test/signIn', as(''))).toMatchObject({ status: 8 });
      expect(await raw.call('/test.Test/refresh', as('Service wrong'))).toMatchObject({
        status: 8,
      });
      expect(await raw.call('/test.Test/refresh', as('Service secret'))).toMatchObject({
        status: 0,
      });
      expect(await raw.call('/test.Test/source', ana)).toMatchObject({ status: 0 });
    });

    it('calls of one public method do not delay another', async () => {
      const { address } = await start();
      const raw = client(address);
      for (let i = 0; i < 50; i += 1) raw.open('/test.Test/signIn', as(''));
      await sleep(200);
      expect(await raw.call('/test.Test/refresh', as(''))).toMatchObject({ status: 0 });
    });

    it('calls of one source have a cap; a trusted proxy names the source', async () => {
      const load = { ...loadLimits, publicCallsOfSource: 3 };
      const { address } = await start({ load }, ['127.0.0.1']);
      const raw = client(address);
      const from = (source: string) => ({
        headers: { 'x-forwarded-for': source },
        messages: [Buffer.from('?')],
      });
      for (let i = 0; i < 3; i += 1) raw.open('/test.Test/signIn', from('203.0.113.1'));
      await sleep(200);
      const again = await raw.call('/test.Test/refresh', from('198.51.100.1, 203.0.113.1'));
      expect(again).toMatchObject({ status: 8 });
      expect(await raw.call('/test.Test/refresh', from('203.0.113.2'))).toMatchObject({
        status: 0,
      });
    });

    it('a forwarding header of an unknown proxy is ignored', async () => {
      const { address } = await start();
      const headers = { ...ana.headers, 'x-forwarded-for': '203.0.113.1' };
      const { body } = await client(address).call('/test.Test/source', { ...ana, headers });
      expect(body.subarray(5).toString()).toBe('127.0.0.1');
    });

    it('calls in flight are finished during a drain, which refuses new connections', async () => {
      const { address, server, answerWaiting } = await start();
      const raw = client(address);
      const held = raw.call('/test.Test/wait', ana);
      await sleep(200);
      const stopped = server.stop(5_000);
      const late = client(address);
      await late.closed;
      answerWaiting();
      expect(await held).toMatchObject({ status: 0 });
      await stopped;
    });
  });
});
