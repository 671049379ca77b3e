import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { findFreePort } from '../../support/free-port.ts';
import { openRaw, sendRaw, toRequest, type RawConnection } from '../../support/http/raw.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

let world: World;
let port: number;
let authorization: string;
let filesAtFirst: number;

const person = { email: 'ana@example.com', password: 'correct horse battery' };
const json = { 'Content-Type': 'application/json' };

beforeAll(async () => {
  world = await createWorld();
  port = await findFreePort();
  await world.start({ WALLETD_HTTP_LISTEN: `127.0.0.1:${port}` });
  const body = JSON.stringify(person);
  await sendRaw(port, toRequest('POST', '/v1/sign-up', json, body));
  const signedIn = await sendRaw(port, toRequest('POST', '/v1/sign-in', json, body));
  const { accessToken } = signedIn.body['tokens'] as { accessToken: string };
  authorization = `Bearer ${accessToken}`;
  filesAtFirst = countFiles();
});
afterAll(async () => {
  const log = world.daemon().log();
  await world.dispose();
  expect(log).not.toMatch(/"level":"(error|fatal)"|Warning:/);
});

const countFiles = (): number => readdirSync(`/proc/${world.daemon().pid}/fd`).length;
/** Besides connections, the daemon may have opened some to its database. */
const waitForFewFiles = async (): Promise<void> => {
  while (countFiles() > filesAtFirst + 20) await sleep(200);
};

let keys = 0;
const moveOf = (operation: string, amount: string, currency: string): Buffer => {
  keys += 1;
  const headers = { ...json, Authorization: authorization, 'Idempotency-Key': `key-${keys}` };
  return toRequest(
    'POST',
    '/v1/transactions',
    headers,
    JSON.stringify({ operation, amount, currency }),
  );
};
const balanceOf = async (currency: string): Promise<unknown> => {
  const path = `/v1/wallets/me/${currency}`;
  const answer = await sendRaw(port, toRequest('GET', path, { Authorization: authorization }));
  return answer.body['balance'];
};
const ready = toRequest('GET', '/readyz');

it('requests sent ahead are done once each and in order, and so are their answers', async () => {
  const connection = openRaw(port);
  const moves = Array.from({ length: 50 }, (_x, i) =>
    moveOf(i % 2 === 0 ? 'deposit' : 'withdraw', '5.00', 'EUR'),
  );
  connection.write(Buffer.concat(moves));
  const seen: unknown[] = [];
  for (const _move of moves) seen.push((await connection.next())?.body['seq']);
  connection.close();
  expect(seen).toEqual(moves.map((_move, i) => i + 1));
  expect(await balanceOf('EUR')).toBe('0.00');
});

it('a request ahead of one that is malformed is answered as it was done', async () => {
  const connection = openRaw(port);
  connection.write(Buffer.concat([moveOf('deposit', '7.00', 'USD'), Buffer.from('\0\r\n\r\n')]));
  const answers = await connection.rest();
  expect(answers.map(({ status }) => status)).toEqual([201, 400]);
  expect(answers[1]?.body['reason']).toBe('REQUEST_MALFORMED');
  expect(await balanceOf('USD')).toBe('7.00');
});

it('what follows a refused request on a closed connection is not done', async () => {
  const connection = openRaw(port);
  const bad = toRequest('POST', '/v1/transactions', { ...json, Authorization: authorization }, '{');
  connection.write(Buffer.concat([bad, moveOf('deposit', '7.00', 'CHF')]));
  const answers = await connection.rest();
  expect(answers.map(({ body }) => body['reason'])).toEqual(['JSON_INVALID']);
  // It would be done by now, if it had been begun.
  await sleep(500);
  const wallet = await sendRaw(
    port,
    toRequest('GET', '/v1/transactions?currency=CHF', { Authorization: authorization }),
  );
  expect(wallet.body).toEqual({ items: [] });
});

it.each([
  ['/nothing', {}, 'ROUTE_NOT_FOUND'],
  ['/v1/me', {}, 'CREDENTIALS_MISSING'],
  ['/v1/me', { Authorization: 'Bearer x' }, 'TOKEN_INVALID'],
])(
  'a flood of requests for %s with %o ends its connection, and delays no one',
  async (path, headers, reason) => {
    const connection = openRaw(port);
    connection.write(Buffer.concat(Array<Buffer>(20_000).fill(toRequest('GET', path, headers))));
    const meanwhile = await sendRaw(port, moveOf('deposit', '1.00', 'GBP'));
    expect(meanwhile.status).toBe(201);
    const answers = await connection.rest();
    const reasons = answers.map(({ body }) => body['reason']);
    expect(answers.length).toBeLessThan(1_000);
    expect(new Set(reasons.slice(0, -1))).toEqual(new Set([reason]));
    expect(answers.at(-1)).toMatchObject({ status: 429, body: { reason: 'THROTTLED' } });
  },
);

it('a body in many small parts ends its connection', async () => {
  const head = 'Host: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
  const body = `${'1\r\n \r\n'.repeat(150_000)}0\r\n\r\n`;
  const answer = await sendRaw(port, `POST /v1/transactions HTTP/1.1\r\n${head}${body}`);
  expect(answer).toMatchObject({ status: 429, body: { reason: 'THROTTLED' }, isClosed: true });
});

it('a client that is known sends thousands of requests over one connection', async () => {
  const connection = openRaw(port);
  const request = toRequest('GET', '/v1/me', { Authorization: authorization });
  for (let i = 0; i < 2_000; i += 20) {
    connection.write(Buffer.concat(Array<Buffer>(20).fill(request)));
    for (let j = 0; j < 20; j += 1) expect((await connection.next())?.status).toBe(200);
  }
  connection.close();
});

it('one caller has 8 event streams at most', async () => {
  const open = toRequest('GET', '/v1/events', { Authorization: authorization });
  const streams = Array.from({ length: 200 }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(open);
    return socket;
  });
  const statuses = await Promise.all(
    streams.map(
      (socket) =>
        new Promise<string>((resolve) =>
          socket.once('data', (data: Buffer) => resolve(data.toString('latin1', 9, 12))),
        ),
    ),
  );
  expect(statuses.filter((status) => status === '200')).toHaveLength(8);
  expect(statuses.filter((status) => status === '503')).toHaveLength(192);
  for (const socket of streams) socket.destroy();
});

it('slow senders and clients that take no byte of an answer are cut, and delay no one', async () => {
  const page = await sendRaw(port, toRequest('GET', '/docs'));
  const bundle = /\/docs\/assets\/swagger-ui-bundle-\w+\.js/.exec(page.text)?.[0] ?? '';
  await waitForFewFiles();
  const slowly = (first: string): RawConnection => {
    const connection = openRaw(port);
    connection.write(first);
    const timer = setInterval(() => connection.write('a'), 500);
    connection.socket.once('close', () => clearInterval(timer));
    return connection;
  };
  const head = 'POST /v1/sign-in HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
  const slow = [
    ...Array.from({ length: 40 }, () => slowly('GET / HTTP/1.1\r\nX: ')),
    ...Array.from({ length: 40 }, () => slowly(`${head}Content-Length: 9999\r\n\r\n`)),
    ...Array.from({ length: 40 }, () => openRaw(port)),
  ];
  const paused = Array.from({ length: 60 }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined).pause();
    socket.write(toRequest('GET', bundle));
    return socket;
  });
  while (countFiles() < filesAtFirst + slow.length + paused.length - 10) await sleep(20);
  expect((await sendRaw(port, ready)).status).toBe(200);
  const answers = await Promise.all(slow.map((connection) => connection.rest()));
  expect((await sendRaw(port, ready)).status).toBe(200);
  for (const all of answers) {
    expect(all.map(({ body }) => body['reason'])).toEqual(['REQUEST_TIMEOUT']);
  }
  await waitForFewFiles();
  for (const socket of paused) socket.destroy();
});
