import { setTimeout as sleep } from 'node:timers/promises';

import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  connectRaw,
  readAnswer,
  type RawClient,
} from '../../../../tests/support/grpc/raw-http2.ts';
import { loadLimits } from '../admission/load-limits.ts';
import type { Limits } from '../server.ts';
import { sessionLimits } from './sessions.ts';
import { startTestServer, type TestServer } from '../test-support.ts';

const releases: (() => unknown)[] = [];

let isFastPathOn = true;

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

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

const same = (bytes: Buffer): Buffer => bytes;

/** A gRPC client that is signed in, whose streams tell how they ended. */
function library(address: string, user: string) {
  const grpc = new Client(address, credentials.createInsecure());
  releases.push(() => grpc.close());
  const metadata = new Metadata();
  metadata.set('authorization', `User ${user}`);
  const watchEnd = (call: { on(event: 'error', listener: (err: ServiceError) => void): unknown }) =>
    new Promise<ServiceError>((resolve) => call.on('error', resolve));
  return {
    talk: () => {
      const call = grpc.makeBidiStreamRequest(talk, same, same, metadata);
      const ended = watchEnd(call);
      const first = new Promise((resolve) => call.once('data', resolve));
      call.write(Buffer.from('?'));
      return { call, first, ended };
    },
    pour: () => {
      const call = grpc.makeServerStreamRequest(pour, same, same, Buffer.from('?'), metadata);
      return { call, ended: watchEnd(call) };
    },
  };
}

const question = [Buffer.from('?')];
const as = (user: string) => ({ headers: { authorization: `User ${user}` }, messages: question });
const talk = '/test.Test/talk';
const pour = '/test.Test/pour';

describe.each([true, false])('with the fast path %s', (isOn) => {
  beforeAll(() => {
    isFastPathOn = isOn;
  });

  describe('connections without a stream', () => {
    const sessions = { ...sessionLimits, idleMs: 1_000 };

    it('a connection without a stream is closed after a while, with or without pings', async () => {
      const { address } = await start({ sessions });
      const quiet = client(address);
      const pinging = client(address);
      const timer = setInterval(() => {
        if (!pinging.session.destroyed) pinging.session.ping(() => undefined);
      }, 100);
      releases.push(() => clearInterval(timer));
      await Promise.all([quiet.closed, pinging.closed]);
    });

    it('an idle connection is closed without an error, not during a call in flight', async () => {
      const { address, answerWaiting } = await start({ sessions });
      const raw = client(address);
      const codes: number[] = [];
      raw.session.on('goaway', (code: number) => codes.push(code));
      const held = raw.call('/test.Test/wait', as('ana'));
      await sleep(3_500);
      expect(raw.session.closed).toBe(false);
      answerWaiting();
      expect(await held).toMatchObject({ status: 0 });
      await raw.closed;
      expect(codes[0]).toBe(0);
    });

    it('a gRPC client reconnects after an idle close without an error', async () => {
      const { address } = await start({ sessions });
      // As the command line and the services among themselves have it: nothing is repeated
      // underneath.
      const grpc = new Client(address, credentials.createInsecure(), { 'grpc.enable_retries': 0 });
      releases.push(() => grpc.close());
      const metadata = new Metadata();
      metadata.set('authorization', 'User ana');
      const call = (): Promise<ServiceError | null> =>
        new Promise((resolve) => {
          grpc.makeUnaryRequest(
            '/test.Test/source',
            same,
            same,
            Buffer.from('?'),
            metadata,
            (err) => resolve(err),
          );
        });
      const errors: (ServiceError | null)[] = [];
      // Around the moments at which the connection is closed.
      for (let i = 0; i < 16; i += 1) {
        errors.push(await call());
        await sleep(900 + i * 70);
      }
      expect(errors.filter((err) => err !== null)).toEqual([]);
    });
  });

  describe('idle streams', () => {
    const load = { ...loadLimits, streamIdleMs: 1_000 };

    it('an idle stream ends with a reason, whether or not it ever had a message', async () => {
      const { address } = await start({ load });
      const raw = client(address);
      const silent = raw.open(talk, { headers: as('ana').headers, staysOpen: true });
      const answered = raw.open(talk, { ...as('ana'), staysOpen: true });
      const [first, second] = await Promise.all([silent, answered].map(readAnswer));
      expect(first).toMatchObject({ status: 10, info: { reason: 'STREAM_IDLE' } });
      expect(first?.info?.metadata['idleSeconds']).toBe('1');
      expect(second).toMatchObject({ status: 10, info: { reason: 'STREAM_IDLE' } });
      // What was answered stands.
      expect(second?.body.subarray(5).toString()).toBe('?');
    });

    it('a stream does not end while a message is in flight, or while requests arrive', async () => {
      const { address, answerWaiting } = await start({ load });
      const raw = client(address);
      const waiting = raw.open(talk, {
        headers: as('ana').headers,
        messages: [Buffer.from('w')],
        staysOpen: true,
      });
      const busy = raw.open(talk, { ...as('ana'), staysOpen: true });
      const answers = [waiting, busy].map(readAnswer);
      for (let i = 0; i < 32; i += 1) {
        await sleep(100);
        busy.write(Buffer.from([0, 0, 0, 0, 1, 42]));
      }
      expect([waiting.closed, busy.closed]).toEqual([false, false]);
      answerWaiting();
      busy.end();
      waiting.end();
      expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([0, 0]);
    });
  });

  describe('stream slots', () => {
    const load = { ...loadLimits, streams: 6, userStreams: 3, streamSettleMs: 100 };

    it('idle streams of the largest holder end first when all slots are in use', async () => {
      const { address } = await start({ load });
      const [ana, bia] = [library(address, 'ana'), library(address, 'bia')];
      const held = [ana, ana, ana, bia, bia, bia].map((user) => user.talk());
      await Promise.all(held.map(({ first }) => first));
      await sleep(300);
      expect(await ana.talk().ended).toMatchObject({ code: 8 });
      const newcomers = ['cid', 'dan'].map((user) => library(address, user).talk());
      await Promise.all(newcomers.map(({ first }) => first));
      const ends = await Promise.all(held.filter((_, i) => i % 3 === 0).map(({ ended }) => ended));
      for (const end of ends) {
        expect(end).toMatchObject({ code: 8 });
        expect(end.details).toContain('idle');
      }
      // One each: the largest holder is another after the first.
      const others = held.filter((_, i) => i % 3 !== 0);
      const states = others.map(({ ended }) => Promise.race([ended, Promise.resolve('open')]));
      expect(await Promise.all(states)).toEqual(['open', 'open', 'open', 'open']);
      for (const { call } of [...held, ...newcomers]) call.cancel();
    });

    it('streams with a message in flight keep their slots', async () => {
      const { address, answerWaiting } = await start({ load });
      const raw = client(address);
      const open = (user: string) =>
        raw.open(talk, {
          headers: as(user).headers,
          messages: [Buffer.from('w')],
          staysOpen: true,
        });
      const held = ['ana', 'ana', 'ana', 'bia', 'bia', 'bia'].map(open);
      const answers = held.map(readAnswer);
      await sleep(500);
      expect(await raw.call(talk, as('cid'))).toMatchObject({ status: 8 });
      answerWaiting();
      held.forEach((stream) => stream.end());
      expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([0, 0, 0, 0, 0, 0]);
    });

    it('streams whose answers are not read lose their slots', async () => {
      const limits = { load: { ...load, streams: 3, streamSettleMs: 200 } };
      const { address } = await start(limits);
      // A bare client: the library would read answers that its caller does not take.
      const mute = client(address);
      for (let i = 0; i < 3; i += 1) mute.open(pour, as('ana'));
      await sleep(1_000);
      const other = library(address, 'bia').pour();
      const first = new Promise((resolve) => other.call.once('data', () => resolve('served')));
      expect(await Promise.race([first, other.ended])).toBe('served');
      other.call.cancel();
    });
  });
});
