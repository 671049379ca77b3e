import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  connectRaw,
  readAnswer,
  type RawClient,
} from '../../../../tests/support/grpc/raw-http2.ts';
import type { Limits } from '../server.ts';
import { startTestServer, type TestServer } from '../test-support.ts';
import { loadLimits } from './load-limits.ts';

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

function client(address: string): RawClient {
  const raw = connectRaw(address);
  releases.push(() => raw.close());
  return raw;
}

const question = [Buffer.from('?')];
const from = (address: string) => ({
  headers: { 'x-forwarded-for': address },
  messages: question,
});
const proxies = ['127.0.0.1'];

describe.each([true, false])('with the fast path %s', (isOn) => {
  beforeAll(() => {
    isFastPathOn = isOn;
  });

  const watchLoad = { ...loadLimits, healthWatches: 4, healthWatchesOfSource: 2 };
  const watch = '/grpc.health.v1.Health/Watch';
  const whole = [Buffer.alloc(0)];

  it('health watches have a limit for each network: a new one replaces the oldest', async () => {
    const { address } = await start({ load: watchLoad }, proxies);
    const raw = client(address);
    const open = (source: string) =>
      raw.open(watch, { headers: { 'x-forwarded-for': source }, messages: whole });
    const held = ['2001:db8:1:1::1', '2001:db8:1:1::2'].map(open);
    const ends = held.map(readAnswer);
    await sleep(200);
    const third = open('2001:db8:1:1::3');
    expect(await ends[0]).toMatchObject({ status: 8 });
    const others = ['203.0.113.1', '203.0.113.1', '203.0.113.2'].map(open);
    expect(await ends[1]).toMatchObject({ status: 8 });
    await sleep(200);
    expect([third, ...others].map((stream) => stream.closed)).toEqual([false, false, false, false]);
  });

  const load = { ...loadLimits, publicCalls: 8, publicCallsOfSource: 6 };
  const signIn = '/test.Test/signIn';
  const network = (i: number) => from(`2001:db8:5:5::${i.toString(16)}`);

  it('public calls from one /64 count as one source', async () => {
    const { address } = await start({ load }, proxies);
    const raw = client(address);
    for (let i = 1; i <= 6; i += 1) raw.open(signIn, network(i));
    await sleep(200);
    expect(await raw.call(signIn, network(7))).toMatchObject({ status: 8 });
    const mapped = from('::ffff:203.0.113.9');
    expect(await raw.call('/test.Test/refresh', mapped)).toMatchObject({ status: 0 });
  });

  it('a public call from a network without any is admitted at the limit', async () => {
    const { address, answerWaiting } = await start({ load }, proxies);
    const raw = client(address);
    const held = [1, 2, 3, 4, 5, 6].map((i) => raw.call(signIn, network(i)));
    await sleep(100);
    const second = [1, 2].map(() => raw.call(signIn, from('203.0.113.1')));
    await sleep(100);
    const newcomer = raw.call(signIn, from('203.0.113.2'));
    await sleep(100);
    expect(await raw.call(signIn, from('203.0.113.2'))).toMatchObject({ status: 8 });
    const answers = Promise.all([...held, ...second, newcomer]);
    const timer = setInterval(answerWaiting, 50);
    releases.push(() => clearInterval(timer));
    expect((await answers).map(({ status }) => status)).toEqual(Array(9).fill(0));
  });

  it('many queued public calls of one network do not delay the call of another', async () => {
    const { address, answerWaiting } = await start({}, proxies);
    const raw = client(address);
    const order: string[] = [];
    const call = (name: string, source: string) =>
      raw.call(signIn, from(source)).then(() => order.push(name));
    const many = Array.from({ length: 24 }, () => call('many', '198.51.100.1'));
    await sleep(200);
    const one = call('one', '198.51.100.2');
    await sleep(200);
    const timer = setInterval(answerWaiting, 50);
    releases.push(() => clearInterval(timer));
    await Promise.all([...many, one]);
    expect(order.indexOf('one')).toBeLessThan(10);
  });

  it('public calls from this host and forwarded ones have separate limits', async () => {
    const limits = { load: { ...load, publicCallsOfHost: 4, publicCallsOfSource: 2 } };
    const { address } = await start(limits);
    const raw = client(address);
    for (let i = 0; i < 4; i += 1) raw.open(signIn, { messages: question });
    await sleep(200);
    expect(await raw.call(signIn, { messages: question })).toMatchObject({ status: 8 });
    // Nothing says who they are: all that the proxy forwards is one network.
    for (let i = 1; i <= 2; i += 1) raw.open(signIn, from(`203.0.113.${i}`));
    await sleep(200);
    expect(await raw.call(signIn, from('203.0.113.3'))).toMatchObject({ status: 8 });
  });
});
