import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { createRandom } from '../../../tests/fuzz/random.ts';
import {
  bearer,
  createHttpClient,
  readEvents,
  type HttpClient,
} from '../../../tests/support/http/client.ts';
import { send, startGateway, type GatewayWorld } from '../../../tests/support/http/gateway.ts';
import { createPeople, password, type Person } from '../../../tests/support/http/people.ts';

const maxEventStreams = 3;
let world: GatewayWorld;
const { create } = createPeople(() => world);

beforeAll(async () => {
  world = await startGateway(['127.0.0.1'], { maxEventStreams });
});
afterAll(() => world.stop());

const pay = async ({ token }: Person, count: number): Promise<void> => {
  const items = Array.from({ length: count }, () => ({
    ...{ operation: 'deposit', amount: '1.00' },
    idempotencyKey: randomUUID(),
  }));
  const made = await send(world.url, 'POST', '/v1/transactions/batch', { token, body: { items } });
  if (made.status !== 200) throw new Error(made.text);
};

/** Rejects where there is no place. */
async function openStream(client: HttpClient, { token }: Person): Promise<IncomingMessage> {
  const response = await client.open('GET', '/v1/events', { headers: bearer(token) });
  if (response.statusCode === 200) return response;
  response.resume();
  throw new Error(`status ${String(response.statusCode)}`);
}

type Read = { readonly seqs: readonly number[]; readonly id: string };

/** Reads so many bytes of a stream, leaves, and gives the events that were whole. */
function readBytes(token: string, lastId: string, limit: number): Promise<Read> {
  return new Promise((resolve, reject) => {
    const socket = connect(world.port, '127.0.0.1');
    const lines = [
      ...['GET /v1/events HTTP/1.1', 'Host: 127.0.0.1', `Authorization: Bearer ${token}`],
      ...(lastId === '' ? [] : [`Last-Event-ID: ${lastId}`]),
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    let text = '';
    socket.setEncoding('latin1');
    socket.on('error', reject);
    // What comes after the cut has not been read.
    socket.on('data', (chunk) => {
      text = `${text}${String(chunk)}`.slice(0, limit);
      if (text.length === limit) socket.destroy();
    });
    const timer = setTimeout(() => socket.destroy(), 2_000);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(toWholeEvents(text, lastId));
    });
  });
}

function toWholeEvents(text: string, lastId: string): Read {
  if (!text.startsWith('HTTP/1.1 200')) return { seqs: [], id: lastId };
  const [, ...chunks] = text.split('\r\n\r\n');
  const body = chunks.join('\r\n\r\n').replace(/(^|\r\n)[0-9a-f]+\r\n/g, '');
  const blocks = body.split('\n\n').slice(0, -1);
  let id = lastId;
  const seqs: number[] = [];
  for (const block of blocks) {
    id = /^id: (.*)$/m.exec(block)?.[1]?.trim() ?? id;
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (/^event: line$/m.test(block) && data !== undefined) {
      seqs.push((JSON.parse(data) as { seq: number }).seq);
    }
  }
  return { seqs, id };
}

describe('streams of events', () => {
  it('20 reconnects at any byte, while transactions are made, lose and repeat no line', async () => {
    const ana = await create('customer');
    await pay(ana, 1);
    const { id: start } = await readBytes(ana.token, '', 1_000_000);
    expect(start).not.toBe('');
    const random = createRandom('7', 'reconnects', 0);
    const total = 20 * 15;
    const paying = (async () => {
      for (let i = 0; i < 20; i += 1) await pay(ana, 15);
    })();
    const seen: number[] = [];
    let id = start;
    for (let reconnects = 0; reconnects < 20; reconnects += 1) {
      const read = await readBytes(ana.token, id, 700 + random.int(9_000));
      seen.push(...read.seqs);
      ({ id } = read);
    }
    await paying;
    await vi.waitFor(
      async () => {
        const read = await readBytes(ana.token, id, 10_000_000);
        seen.push(...read.seqs);
        ({ id } = read);
        if (seen.length < total) throw new Error(`${seen.length} lines`);
      },
      { timeout: 40_000 },
    );
    expect(seen).toEqual(Array.from({ length: total }, (_seq, i) => i + 2));
  });

  it.each([
    ['a cursor that is too long', `?cursor=${'A'.repeat(4_097)}`, ''],
    ['a Last-Event-ID that is too long', '', 'A'.repeat(4_097)],
    ['a Last-Event-ID that is made up', '', 'AAAA'],
    ['a Last-Event-ID with a broken part', '', 'AAAA.x'],
  ])('a stream with %s is refused before it begins', async (_what, search, lastId) => {
    const { token } = await create('customer');
    const headers = lastId === '' ? {} : { 'last-event-id': lastId };
    const refused = await send(world.url, 'GET', `/v1/events${search}`, { token, headers });
    expect(refused.body).toMatchObject({
      status: 400,
      reason: 'INVALID_ARGUMENT',
      field: 'cursor',
    });
  });

  it('a stream of 51 users is refused', async () => {
    const { token } = await create('admin');
    const search = Array.from({ length: 51 }, () => `user=${randomUUID()}`).join('&');
    const refused = await send(world.url, 'GET', `/v1/events?${search}`, { token });
    expect(refused.body).toMatchObject({ status: 400, reason: 'INVALID_ARGUMENT', field: 'user' });
  });

  it('one stream too many is refused, and its place is free once another has ended', async () => {
    const bia = await create('customer');
    const client = createHttpClient(world.url);
    const isOpen = () => openStream(client, bia);
    // The places of streams that were left before are free soon.
    const streams = [];
    for (let i = 0; i < maxEventStreams; i += 1)
      streams.push(await vi.waitFor(isOpen, { timeout: 20_000 }));
    const refused = await send(world.url, 'GET', '/v1/events', bia);
    expect(refused.body).toMatchObject({ status: 503, reason: 'OVERLOADED' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    streams[0]?.destroy();
    streams.push(await vi.waitFor(isOpen, { timeout: 20_000 }));
    streams.forEach((stream) => stream.destroy());
    client.close();
  });

  it('a stream by a cookie ends when its session does', async () => {
    const { email } = await create('customer');
    const body = { email, password };
    const signedIn = await send(world.url, 'POST', '/auth/sign-in', { body });
    const headers = { cookie: signedIn.headers.get('set-cookie')?.split(';')[0] ?? '' };
    const client = createHttpClient(world.url);
    const stream = await vi.waitFor(
      async () => {
        const response = await client.open('GET', '/v1/events', { headers });
        if (response.statusCode !== 200) throw new Error(`status ${String(response.statusCode)}`);
        return response;
      },
      { timeout: 20_000 },
    );
    const last = (async () => {
      let event: unknown;
      for await (const next of readEvents(stream)) event = next;
      return event;
    })();
    const out = await send(world.url, 'POST', '/auth/sign-out', { headers, body: {} });
    expect(out.status).toBe(200);
    expect(await last).toMatchObject({ event: 'problem', data: { reason: 'TOKEN_REVOKED' } });
    client.close();
  });
});
