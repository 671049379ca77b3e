import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startCuttingProxy, type CuttingProxy } from '../tests/support/http/cutting-proxy.ts';
import { openAccount, startGateway, type GatewayWorld } from '../tests/support/http/gateway.ts';
import { createClient, WalletProblem, type Client, type FollowedEvent } from './index.ts';

let world: GatewayWorld;
let proxy: CuttingProxy;

beforeAll(async () => {
  world = await startGateway();
  proxy = await startCuttingProxy(world.port);
});
afterAll(async () => {
  await proxy.stop();
  await world.stop();
});

/** A client of a new person, through the proxy. */
async function newClient(name: string, options: { maxAttempts?: number } = {}): Promise<Client> {
  const token = await openAccount(world, `${name}@example.com`);
  return createClient({ baseUrl: proxy.url, token, ...options });
}

async function catchProblem(promise: Promise<unknown>): Promise<WalletProblem> {
  const error: unknown = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof WalletProblem) return error;
  throw new Error('expected a problem', { cause: error });
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const deposit = { operation: 'deposit', amount: '1.00', currency: 'BRL' } as const;

describe('a transaction', () => {
  it('the answer of a transaction is cut: the client sends it again, and it is made once', async () => {
    const client = await newClient('cut');
    proxy.cutAnswers({ times: 2 });
    const made = await client.transactions.create(deposit);
    expect(made).toMatchObject({ replayed: true, seq: 1, balanceAfter: '1.00' });
    expect((await client.transactions.list()).items).toHaveLength(1);
  });

  it('no answer ever comes: the problem has the key, under which the outcome is found', async () => {
    const client = await newClient('doubt', { maxAttempts: 2 });
    proxy.cutAnswers({ times: 2 });
    const problem = await catchProblem(client.transactions.create(deposit));
    expect(problem).toMatchObject({ reason: 'OUTCOME_UNKNOWN', isOutcomeUnknown: true });
    const { idempotencyKey } = problem;
    expect(idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
    expect(problem.hint).toContain(idempotencyKey);
    const again = await client.transactions.create(deposit, { idempotencyKey });
    expect(again).toMatchObject({ replayed: true, seq: 1 });
    const found = await client.transactions.getByKey(idempotencyKey ?? '');
    expect(found.id).toBe(again.id);
  });

  it('a server that is not there has done nothing', async () => {
    const gone = await startCuttingProxy(world.port);
    await gone.stop();
    const client = createClient({ baseUrl: gone.url, token: 'x', maxAttempts: 2 });
    const problem = await catchProblem(client.transactions.create(deposit));
    expect(problem).toMatchObject({ reason: 'CONNECTION_FAILED', isOutcomeUnknown: false });
  });

  it('a refusal is a problem with its reason, and is not sent again', async () => {
    const client = await newClient('refused');
    const before = world.calls.length;
    const withdrawal = { ...deposit, operation: 'withdraw' } as const;
    const problem = await catchProblem(client.transactions.create(withdrawal));
    expect(problem).toMatchObject({ reason: 'INSUFFICIENT_FUNDS', status: 409 });
    expect(problem.isOutcomeUnknown).toBe(false);
    expect(problem.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(world.calls).toHaveLength(before + 1);
    const invalid = await catchProblem(client.transactions.create({ ...deposit, amount: '1,5' }));
    expect(invalid).toMatchObject({ reason: 'AMOUNT_INVALID', field: 'amount', status: 400 });
  });

  it('a call whose signal is aborted after it was sent may have been carried out', async () => {
    const token = await openAccount(world, 'aborted@example.com');
    const leaving = new AbortController();
    const sent: string[] = [];
    const client = createClient({
      ...{ baseUrl: world.url, token },
      fetch: (url, init) => {
        sent.push(url);
        const answer = fetch(url, init);
        leaving.abort();
        return answer;
      },
    });
    const create = () => client.transactions.create(deposit, { signal: leaving.signal });
    const problem = await catchProblem(create());
    expect(problem).toMatchObject({ reason: 'CANCELLED', isOutcomeUnknown: true });
    // Aborted before: nothing is sent.
    expect(await catchProblem(create())).toMatchObject({ isOutcomeUnknown: false });
    expect(sent).toHaveLength(1);
  });
});

it('a batch gets keys for its items, and is made once when its answer is cut', async () => {
  const client = await newClient('batch');
  const tooMuch = { ...deposit, operation: 'withdraw', amount: '9.00' } as const;
  proxy.cutAnswers({ times: 1 });
  const own = { ...deposit, idempotencyKey: 'own-key' };
  const results = await client.transactions.createBatch({ items: [own, tooMuch, deposit] });
  expect(results.map(({ status }) => status)).toEqual([200, 409, 200]);
  expect(results[0]?.idempotencyKey).toBe('own-key');
  expect(results[1]?.problem?.reason).toBe('INSUFFICIENT_FUNDS');
  expect((await client.transactions.list()).items).toHaveLength(2);
});

it('an iterator of a list turns the pages', async () => {
  const client = await newClient('pages');
  const items = Array.from({ length: 7 }, () => deposit);
  await client.transactions.createBatch({ items });
  const all = await collect(client.transactions.listAll({ limit: 3 }));
  expect(all.map(({ seq }) => seq)).toEqual([7, 6, 5, 4, 3, 2, 1]);
});

describe('files', () => {
  it('the download of an export goes on where its connection was cut', async () => {
    const client = await newClient('files');
    const items = Array.from({ length: 300 }, () => deposit);
    await client.transactions.createBatch({ items });
    const queued = await client.exports.create({ currency: 'BRL' });
    const done = await client.exports.wait(queued.id ?? '');
    expect(done).toMatchObject({ status: 'done', rows: 300 });

    proxy.cutAnswers({ times: 2, afterBytes: 8_000 });
    const file = await client.exports.download(done.id ?? '');
    const bytes = new Uint8Array(await new Response(file.stream).arrayBuffer());
    expect(proxy.cutsLeft()).toBe(0);
    expect(bytes.length).toBe(file.size);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(file.sha256);
    expect(file.sha256).toBe(done.sha256);
    expect(file.fileName).toMatch(/^statement-BRL-.*\.csv$/);
  });

  it('a statement is read line by line, and as a text', async () => {
    const client = await newClient('statement');
    await client.transactions.createBatch({ items: [deposit, deposit, deposit] });
    const read = () => collect(client.statements.listLines({ limit: 2 }));
    for (let tries = 0; tries < 200 && (await read()).length < 3; tries += 1) await sleep(50);
    expect((await read()).map(({ seq, balance }) => [seq, balance])).toEqual([
      ...[
        [1, '1.00'],
        [2, '2.00'],
        [3, '3.00'],
      ],
    ]);
    const file = await client.statements.download('csv');
    expect(file.status).toBe('complete');
    expect((await new Response(file.stream).text()).trimEnd().split('\n')).toHaveLength(4);
    const long = { from: '2020-01-01', to: '2026-01-01' };
    expect(await catchProblem(client.statements.download('csv', long))).toMatchObject({
      reason: 'RANGE_TOO_LONG',
    });
  });
});

describe('live events', () => {
  it('each line comes once and in order, across connections that are lost', async () => {
    const client = await newClient('events');
    const leaving = new AbortController();
    const events: FollowedEvent[] = [];
    const following = (async () => {
      for await (const event of client.events.follow({ signal: leaving.signal }))
        events.push(event);
    })();
    // The stream begins at some time: from then on no line may be missing.
    for (let tries = 0; tries < 200 && events.length < 3; tries += 1) {
      await client.transactions.create(deposit);
      await sleep(50);
    }
    for (let lost = 0; lost < 3; lost += 1) {
      proxy.cutAll();
      await client.transactions.createBatch({ items: [deposit, deposit] });
      await sleep(300);
    }
    const { items } = await client.transactions.list({ limit: 1 });
    const last = items[0]?.seq ?? 0;
    const seqs = () => events.flatMap((event) => (event.type === 'line' ? [event.seq] : []));
    for (let tries = 0; tries < 400 && seqs().at(-1) !== last; tries += 1) await sleep(50);
    const first = seqs()[0] ?? 0;
    const expected = Array.from({ length: last - first + 1 }, (_item, i) => first + i);
    expect(seqs()).toEqual(expected);

    leaving.abort();
    await following;
    // Another run goes on after the last event that has a cursor.
    const at = events.findLast(({ cursor }) => cursor !== undefined);
    const made = await client.transactions.create(deposit);
    const next = client.events.follow({ cursor: at?.cursor });
    const { value } = await next.next();
    expect(value).toMatchObject({ type: 'line', seq: made.seq, balance: made.balanceAfter });
    await next.return();
  });

  it('a cursor that is none is refused, and is not tried again', async () => {
    const client = await newClient('cursor');
    const follow = client.events.follow({ cursor: 'nonsense' });
    expect(await catchProblem(follow.next())).toMatchObject({ status: 400 });
  });
});

it('a token that the server refuses is replaced, once for calls at the same time', async () => {
  const token = await openAccount(world, 'renewed@example.com');
  const asked: (string | undefined)[] = [];
  const client = createClient({
    baseUrl: world.url,
    onToken: (refused) => {
      asked.push(refused);
      return refused === undefined ? 'stale' : token;
    },
  });
  const [me] = await Promise.all([client.account.get(), client.wallets.list()]);
  expect(me.user.email).toBe('renewed@example.com');
  expect(asked).toEqual([undefined, 'stale']);
});
