import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { createRandom } from '../../fuzz/random.ts';
import { findFreePort } from '../../support/free-port.ts';
import { bearer, createHttpClient, enter, type HttpReply } from '../../support/http/client.ts';
import { findFaults } from '../../support/ledger/ledger.ts';
import { createWorld, password, type World } from '../../support/processes/world.ts';

let world: World;
let url: string;
let env: Record<string, string>;

beforeAll(async () => {
  world = await createWorld();
  const address = `127.0.0.1:${await findFreePort()}`;
  url = `http://${address}`;
  env = { WALLETD_HTTP_LISTEN: address };
  await world.start(env);
});
afterAll(() => world.dispose());

type Sent = { readonly key: string; readonly amount: string };

/** Sends a deposit; undefined where the connection ended before the answer did. */
async function deposit(token: string, { key, amount }: Sent): Promise<HttpReply | undefined> {
  const client = createHttpClient(url);
  const headers = { ...bearer(token), 'idempotency-key': `"${key}"` };
  const body = { operation: 'deposit', amount };
  const reply = await client
    .send('POST', '/v1/transactions', { headers, body })
    .catch(() => undefined);
  client.close();
  return reply;
}

async function enterAs(name: string): Promise<string> {
  const client = createHttpClient(url);
  const token = await enter(client, `${name}@example.com`, password);
  client.close();
  return token;
}

async function readWallet(token: string): Promise<HttpReply['body']> {
  const client = createHttpClient(url);
  const { body } = await client.send('GET', '/v1/wallets/me/BRL', { headers: bearer(token) });
  client.close();
  return body;
}

/** Sends a deposit, and leaves once it is made: the answer is lost. */
async function depositUnread(token: string, { key, amount }: Sent): Promise<void> {
  const { seq } = await readWallet(token);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  const body = JSON.stringify({ operation: 'deposit', amount });
  const lines = [
    ...['POST /v1/transactions HTTP/1.1', 'Host: 127.0.0.1', `Authorization: Bearer ${token}`],
    ...['Content-Type: application/json', `Content-Length: ${body.length}`],
    `Idempotency-Key: "${key}"`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  const isMade = async () => expect((await readWallet(token))['seq']).toBe(Number(seq) + 1);
  await vi.waitFor(isMade, { timeout: 20_000 });
  socket.destroy();
}

const seed = '16';
const rounds = 4;
const perRound = 24;
const random = createRandom(seed, 'moments', 0);

/** Answers to deposits one after the other, until a kill -9 at a moment that the seed chooses. */
async function depositUntilKilled(
  token: string,
  sent: readonly Sent[],
): Promise<readonly (HttpReply | undefined)[]> {
  let answered = 0;
  const first = sent.map(async (each, i) => {
    // Not all in one commit.
    await sleep(i * 4);
    const reply = await deposit(token, each);
    if (reply) answered += 1;
    return reply;
  });
  const enough = random.int(perRound - 2);
  await vi.waitFor(() => expect(answered).toBeGreaterThan(enough), { timeout: 20_000 });
  await sleep(random.int(6));
  await world.kill();
  return Promise.all(first);
}

it('a deposit whose answer a kill -9 has lost is made once, whenever the kill comes', async () => {
  const token = await enterAs('ana');
  const found = { answered: 0, lost: 0, lostAndMade: 0 };
  for (let round = 0; round < rounds; round += 1) {
    const unread = { key: `round ${round} unread`, amount: '100.00' };
    await depositUnread(token, unread);
    const sent = Array.from({ length: perRound }, (_sent, i): Sent => ({
      key: `round ${round} number ${i}`,
      amount: `${i + 1}.00`,
    }));
    const answers = await depositUntilKilled(token, sent);
    await world.start(env);
    expect(await deposit(token, unread)).toMatchObject({ status: 200, body: { replayed: true } });
    for (const [i, each] of sent.entries()) {
      const again = await deposit(token, each);
      expect([200, 201], again?.text).toContain(again?.status);
      expect(again?.body['replayed']).toBe(again?.status === 200);
      const answered = answers[i];
      found[answered ? 'answered' : 'lost'] += 1;
      if (answered) {
        expect(answered.status, answered.text).toBe(201);
        expect(again).toMatchObject({ status: 200, body: { id: answered.body['id'] } });
      } else if (again?.status === 200) {
        found.lostAndMade += 1;
      }
    }
  }
  console.info(`kill -9, seed ${seed}: ${JSON.stringify(found)}`);
  const total = rounds * (100 + (perRound * (perRound + 1)) / 2);
  const seq = rounds * (perRound + 1);
  expect(await readWallet(token)).toMatchObject({ balance: `${total}.00`, seq });
  await expect.poll(() => findFaults(world.dataDir), { timeout: 30_000 }).toEqual([]);
});

it('50 requests with one key at once make one transaction, and have one answer', async () => {
  const token = await enterAs('bia');
  const twins = await Promise.all(
    Array.from({ length: 50 }, () => deposit(token, { key: 'twins', amount: '3.00' })),
  );
  const statuses = twins.map((twin) => twin?.status).sort();
  expect(statuses).toEqual([...Array<number>(49).fill(200), 201]);
  const bodies = twins.map((twin) => {
    const { replayed, ...others } = twin?.body ?? {};
    expect(replayed).toBe(twin?.status === 200);
    expect(twin?.headers['idempotency-replayed']).toBe(twin?.status === 200 ? 'true' : undefined);
    expect(twin?.headers['idempotency-key']).toBe('"twins"');
    return JSON.stringify(others);
  });
  expect(new Set(bodies).size).toBe(1);
  expect(await readWallet(token)).toMatchObject({ balance: '3.00', seq: 1 });
});

it('the same key with another content is refused, after a kill -9 as well', async () => {
  const token = await enterAs('caio');
  expect((await deposit(token, { key: 'k', amount: '1.00' }))?.status).toBe(201);
  await world.kill();
  await world.start(env);
  const refused = await deposit(token, { key: 'k', amount: '2.00' });
  expect(refused).toMatchObject({ status: 422, body: { reason: 'IDEMPOTENCY_KEY_REUSED' } });
});
