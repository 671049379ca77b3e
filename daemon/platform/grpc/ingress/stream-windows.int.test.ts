import { constants } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';

import {
  connectRaw,
  readAnswer,
  type RawClient,
} from '../../../../tests/support/grpc/raw-http2.ts';
import { loadLimits, type LoadLimits } from '../admission/load-limits.ts';
import { startTestServer, type TestServer } from '../test-support.ts';
import { maxStreams } from './stream-windows.ts';

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

async function start(load: Partial<LoadLimits>): Promise<TestServer> {
  const stand = await startTestServer({ load: { ...loadLimits, ...load } }, []);
  releases.push(stand.stop);
  return stand;
}

function connect(address: string): RawClient {
  const raw = connectRaw(address);
  releases.push(() => raw.close());
  return raw;
}

const queue = '/test.Test/queue';
const wait = '/test.Test/wait';
const as = (authorization: string) => ({
  headers: { authorization },
  messages: [Buffer.from('?')],
});
const ana = as('User ana');

const streamsOf = ({ session }: RawClient): number => session.remoteSettings.maxConcurrentStreams!;

/** What became of a stream that the server never gave to the program. */
const notBegun = 'REFUSED_STREAM';

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(10);
}

/** Calls again and again, also after a refusal, with so many calls at any time. */
function insist(raw: RawClient, path: string, options: typeof ana, atOnce: number) {
  let isOver = false;
  const statuses: (number | string)[] = [];
  const work = async (): Promise<void> => {
    while (!isOver && !raw.session.closed) {
      const { status: code, rstCode } = await raw.call(path, options);
      statuses.push(code ?? (rstCode === constants.NGHTTP2_REFUSED_STREAM ? notBegun : 'cut'));
    }
  };
  const ended = Promise.all(Array.from({ length: atOnce }, work));
  const stop = async (): Promise<void> => {
    isOver = true;
    await ended;
  };
  return { statuses, stop };
}

describe('stream windows', () => {
  it('a client that goes on after refusals may open fewer streams, and later all again', async () => {
    const { address, answerWaiting } = await start({ all: 20 });
    const raw = connect(address);
    const flood = insist(raw, queue, ana, 60);
    await until(() => streamsOf(raw) < maxStreams);
    await until(() => flood.statuses.includes(8));
    expect(streamsOf(raw)).toBeGreaterThanOrEqual(4);
    const letting = setInterval(answerWaiting, 5);
    await flood.stop();
    clearInterval(letting);
    await until(() => streamsOf(raw) === maxStreams);
    const held = Array.from({ length: 20 }, () => raw.call(queue, ana));
    const rest = setInterval(answerWaiting, 5);
    expect((await Promise.all(held)).every((answer) => answer.status === 0)).toBe(true);
    clearInterval(rest);
    expect(raw.session.closed).toBe(false);
  });

  it('a burst that was sent before its first refusal is answered with OVERLOADED', async () => {
    const { address, answerWaiting } = await start({ all: 20 });
    const raw = connect(address);
    await raw.call('/test.Test/source', ana);
    const streams = Array.from({ length: 100 }, () => raw.open(queue, ana));
    const answers = await Promise.all(streams.slice(20).map(readAnswer));
    expect(answers.every((answer) => answer.status === 8)).toBe(true);
    expect(answers.every((answer) => answer.info?.reason === 'OVERLOADED')).toBe(true);
    expect(streamsOf(raw)).toBe(maxStreams);
    answerWaiting();
  });

  it('another connection keeps its streams', async () => {
    const { address } = await start({ userCalls: 10 });
    const [raw, other] = [connect(address), connect(address)];
    await other.call('/test.Test/source', as('User bia'));
    const flood = insist(raw, wait, ana, 60);
    await until(() => streamsOf(raw) < maxStreams);
    expect(await other.call('/test.Test/source', as('User bia'))).toMatchObject({ status: 0 });
    expect(streamsOf(other)).toBe(maxStreams);
    raw.close();
    await flood.stop();
  });

  it('one user does not slow down others on the same connection', async () => {
    const { address, answerWaiting } = await start({ userCalls: 10 });
    const raw = connect(address);
    const other = insist(raw, '/test.Test/source', as('User bia'), 1);
    const flood = insist(raw, wait, ana, 40);
    await until(() => flood.statuses.length > 2_000);
    // On a slow machine it may have been lower until the other user's next call, which a gRPC client
    // repeats by itself.
    await until(() => streamsOf(raw) === maxStreams);
    expect(other.statuses.filter((one) => one !== 0 && one !== notBegun)).toEqual([]);
    expect(other.statuses.filter((one) => one === notBegun).length).toBeLessThan(3);
    expect(other.statuses.length).toBeGreaterThan(20);
    const letting = setInterval(answerWaiting, 5);
    await Promise.all([flood.stop(), other.stop()]);
    clearInterval(letting);
  });

  it('a grpc-js client that sends more than is allowed gets an answer to each call', async () => {
    const { address, answerWaiting } = await start({ all: 20 });
    const client = new Client(address, credentials.createInsecure());
    releases.push(() => client.close());
    const metadata = new Metadata();
    metadata.set('authorization', 'User ana');
    const same = (bytes: Buffer): Buffer => bytes;
    const ask = (): Promise<number> =>
      new Promise((resolve) => {
        const onEnd = (err: ServiceError | null): void => resolve(err ? err.code : status.OK);
        client.makeUnaryRequest(queue, same, same, Buffer.from('?'), metadata, onEnd);
      });
    const letting = setInterval(answerWaiting, 5);
    releases.push(() => clearInterval(letting));
    const codes: number[] = [];
    const work = async (): Promise<void> => {
      for (let n = 0; n < 20; n += 1) codes.push(await ask());
    };
    await Promise.all(Array.from({ length: 150 }, work));
    expect(codes).toHaveLength(3_000);
    expect(codes).toContain(status.RESOURCE_EXHAUSTED);
    // A call that is refused as a stream twice in a row is UNAVAILABLE: it was not begun.
    const known: number[] = [status.OK, status.RESOURCE_EXHAUSTED, status.UNAVAILABLE];
    expect(codes.filter((code) => !known.includes(code))).toEqual([]);
    expect(await ask()).toBe(status.OK);
  }, 60_000);

  it('a connection outlives any number of changes of its limit', async () => {
    const { address, answerWaiting } = await start({ all: 20 });
    const raw = connect(address);
    const letting = setInterval(answerWaiting, 5);
    releases.push(() => clearInterval(letting));
    const limits = new Set<number>();
    raw.session.on('remoteSettings', () => limits.add(streamsOf(raw)));
    const flood = insist(raw, queue, ana, 100);
    await until(() => flood.statuses.filter((one) => one === notBegun).length > 150);
    await flood.stop();
    expect(limits.size).toBeGreaterThan(1);
    expect(raw.session.closed).toBe(false);
    expect(await raw.call('/test.Test/source', ana)).toMatchObject({ status: 0 });
  }, 60_000);
});
