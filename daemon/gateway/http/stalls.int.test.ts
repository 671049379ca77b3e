import { connect, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import type { FastifyInstance } from 'fastify';
import { afterEach, expect, it, vi } from 'vitest';

import { createAddressSet } from '../../platform/grpc/ingress/source.ts';
import { createLog } from '../../platform/log.ts';
import { createHttpServer } from './server.ts';

const stallTimeoutMs = 1_000;
const chunk = Buffer.alloc(64 * 1024, 'x');
let server: FastifyInstance;
let client: Socket;
let given = 0;
let isReleased = false;

afterEach(async () => {
  client.destroy();
  await server.close();
});

async function* giveWithoutEnd(): AsyncGenerator<Buffer> {
  try {
    for (;;) {
      given += 1;
      yield await Promise.resolve(chunk);
    }
  } finally {
    isReleased = true;
  }
}

async function start(path: string): Promise<void> {
  const log = createLog('silent');
  const decorateProblem = (_path: string, problem: object): object => problem;
  const shared = { log, decorateProblem, methodsOf: () => [], tls: undefined };
  server = createHttpServer({ ...shared, proxies: createAddressSet([]), stallTimeoutMs });
  server.get('/endless', (_request, reply) =>
    reply.send(Readable.from(giveWithoutEnd(), { objectMode: false })),
  );
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  client = connect(port, '127.0.0.1');
  client.on('error', () => undefined);
  client.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
}

const countConnections = () =>
  new Promise<number>((resolve) => server.server.getConnections((_err, count) => resolve(count)));

it('a client that takes nothing of its answer loses the connection, and the answer ends', async () => {
  await start('/endless');
  client.pause();
  await vi.waitFor(() => expect(given).toBeGreaterThan(0), { timeout: 20_000 });
  await vi.waitFor(() => expect(isReleased).toBe(true), { timeout: 30_000 });
  await vi.waitFor(async () => expect(await countConnections()).toBe(0), { timeout: 20_000 });
});

it('a client that takes its answer slowly keeps the connection', async () => {
  await start('/endless');
  let taken = 0;
  client.on('data', (bytes) => {
    taken += bytes.length;
    client.pause();
    setTimeout(() => client.resume(), 20);
  });
  await sleep(3 * stallTimeoutMs);
  expect(await countConnections()).toBe(1);
  expect(taken).toBeGreaterThan(0);
});
