import { setTimeout as sleep } from 'node:timers/promises';

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

async function start(): Promise<TestServer> {
  const stand = await startTestServer({}, [], { isFastPathOn });
  releases.push(stand.stop);
  return stand;
}

function client(address: string): RawClient {
  const raw = connectRaw(address);
  releases.push(() => raw.close());
  return raw;
}

const nothing = {
  calls: 0,
  publicCalls: 0,
  callers: 0,
  streams: 0,
  unauthenticated: 0,
  connections: 0,
  openCalls: 0,
  unreadBytes: 0,
  healthWatches: 0,
};

/** Bounded: 5 s. */
async function untilIdle(stand: TestServer): Promise<object> {
  for (let i = 0; i < 100; i += 1) {
    const counts = stand.server.readCounts();
    if (JSON.stringify(counts) === JSON.stringify(nothing)) break;
    await sleep(50);
  }
  return stand.server.readCounts();
}

type Kind = {
  readonly path: string;
  readonly message: Buffer;
  readonly isBidi?: boolean;
  readonly isPublic?: boolean;
};

const kinds: readonly Kind[] = [
  { path: '/test.Test/wait', message: Buffer.from('?') },
  { path: '/test.Test/queue', message: Buffer.from('?') },
  { path: '/test.Test/late', message: Buffer.from([1]) },
  { path: '/test.Test/large', message: Buffer.from([1]) },
  { path: '/test.Test/signIn', message: Buffer.from('?'), isPublic: true },
  { path: '/test.Test/pour', message: Buffer.from('?') },
  { path: '/test.Test/talk', message: Buffer.from('w'), isBidi: true },
  { path: '/test.Test/talk', message: Buffer.from('p'), isBidi: true },
  { path: '/grpc.health.v1.Health/Watch', message: Buffer.alloc(0), isPublic: true },
  { path: '/grpc.health.v1.Health/Watch', message: nameOf('some.Service'), isPublic: true },
];

/** `HealthCheckRequest`. */
function nameOf(service: string): Buffer {
  return Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
}

type Way = (raw: RawClient, kind: Kind, headers: Record<string, string>) => Promise<unknown>;

/** What clients do with a call. */
const ways: Readonly<Record<string, Way>> = {
  'is cancelled': async (raw, { path, message, isBidi = false }, headers) => {
    const stream = raw.open(path, { headers, messages: [message], staysOpen: isBidi });
    const answer = readAnswer(stream);
    await sleep(20);
    stream.close(8);
    return answer;
  },
  'is cancelled at once': (raw, { path, message }, headers) => {
    const stream = raw.open(path, { headers, messages: [message] });
    const answer = readAnswer(stream);
    setImmediate(() => stream.close(8));
    return answer;
  },
  'is late': (raw, { path, message }, headers) => {
    const late = { ...headers, 'grpc-timeout': '40m' };
    return readAnswer(raw.open(path, { headers: late, messages: [message] }));
  },
  'is refused': (raw, { path, message, isPublic }, headers) => {
    const bad = { ...headers, authorization: isPublic ? 'User ana' : 'Unknown' };
    const stream = raw.open(path, { headers: bad, messages: [message] });
    const answer = readAnswer(stream);
    if (isPublic) setTimeout(() => stream.close(8), 20);
    return answer;
  },
};

const asked = { headers: { authorization: 'User ana' }, messages: [Buffer.from([1])] };

describe.each([true, false])('with the fast path %s', (isOn) => {
  beforeAll(() => {
    isFastPathOn = isOn;
  });

  it('60 late large answers leave their connection usable, and nothing counted', async () => {
    const stand = await start();
    const raw = client(stand.address);
    const headers = { authorization: 'User ana', 'grpc-timeout': '50m' };
    const message = Buffer.from([1]);
    for (let round = 0; round < 6; round += 1) {
      const late = Array.from({ length: 10 }, () =>
        raw.call('/test.Test/late', { headers, messages: [message] }),
      );
      expect(new Set((await Promise.all(late)).map(({ status }) => status))).toEqual(new Set([4]));
      stand.answerWaiting();
      await sleep(20);
    }
    expect(await raw.call('/test.Test/large', asked)).toMatchObject({ status: 0 });
    raw.close();
    expect(await untilIdle(stand)).toEqual(nothing);
  });

  describe.each(Object.entries(ways))('a call of each kind that %s', (_name, act) => {
    it('calls that are cancelled, late or refused leave nothing counted', async () => {
      const stand = await start();
      const raw = client(stand.address);
      const headers = { authorization: 'User ana' };
      for (let round = 0; round < 3; round += 1) {
        await Promise.all(kinds.map((kind) => act(raw, kind, headers)));
        stand.answerWaiting();
      }
      await sleep(20);
      stand.answerWaiting();
      raw.close();
      expect(await untilIdle(stand)).toEqual(nothing);
    });
  });

  it('a call of each kind on a connection that is lost leaves nothing counted', async () => {
    const stand = await start();
    for (let round = 0; round < 3; round += 1) {
      const raw = client(stand.address);
      const headers = { authorization: 'User ana' };
      for (const { path, message, isBidi = false } of kinds) {
        raw.open(path, { headers, messages: [message], staysOpen: isBidi });
      }
      await sleep(50);
      raw.session.destroy();
      stand.answerWaiting();
    }
    await sleep(20);
    stand.answerWaiting();
    expect(await untilIdle(stand)).toEqual(nothing);
  });

  it('health watches that are reset at once are not counted, and calls are served', async () => {
    const stand = await start();
    const path = '/grpc.health.v1.Health/Watch';
    for (let round = 0; round < 60; round += 1) {
      const raw = client(stand.address);
      // Past some 200 resets the connection is cut, with answers pending on it.
      const count = round % 10 === 0 ? 300 : 30;
      const answers = Array.from({ length: count }, (_, i) => {
        const timeout = { 'grpc-timeout': `${i % 5}m` };
        const headers = i % 2 ? timeout : {};
        const stream = raw.open(path, { messages: [nameOf(`a.B${i}`)], headers });
        setTimeout(() => stream.close(8), i % 2 ? 50 : i % 7);
        return readAnswer(stream);
      });
      await Promise.all(answers);
      raw.close();
    }
    expect(await untilIdle(stand)).toEqual(nothing);
    expect(await client(stand.address).call('/test.Test/large', asked)).toMatchObject({
      status: 0,
    });
  });

  it('a health watch whose request arrives at its deadline is not counted', async () => {
    const stand = await start();
    const raw = client(stand.address);
    const path = '/grpc.health.v1.Health/Watch';
    const message = nameOf('a.B');
    const request = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
    for (let round = 0; round < 40; round += 1) {
      const answers = Array.from({ length: 20 }, (_, i) => {
        const ms = 1 + (i % 4);
        const headers = { 'grpc-timeout': `${ms}m` };
        const stream = raw.open(path, { headers, staysOpen: true });
        setTimeout(() => stream.end(request), ms);
        return readAnswer(stream);
      });
      expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(
        new Set([4]),
      );
    }
    expect(await untilIdle(stand)).toMatchObject({ healthWatches: 0 });
  });

  it('names of services that are no longer watched are removed', async () => {
    const stand = await start();
    const raw = client(stand.address);
    for (let i = 0; i < 50; i += 1) {
      const stream = raw.open('/grpc.health.v1.Health/Watch', { messages: [nameOf(`a.B${i}`)] });
      const answer = readAnswer(stream);
      await new Promise((resolve) => stream.once('data', resolve));
      stream.close(8);
      await answer;
    }
    expect(stand.server.readCounts().healthWatches).toBeLessThan(5);
    raw.close();
    expect(await untilIdle(stand)).toEqual(nothing);
  });
});
