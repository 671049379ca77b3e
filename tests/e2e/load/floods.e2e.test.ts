import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { signUp } from '../../support/broker/producer.ts';
import { connect } from '../../support/grpc/client.ts';
import { connectRaw, readAnswer } from '../../support/grpc/raw-http2.ts';
import { waitUntil } from '../../support/ledger/ledger.ts';
import { createWorld, type Person, type World } from '../../support/processes/world.ts';

let world: World;
let ana: Person;
let bia: Awaited<ReturnType<typeof signUp>>;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  ana = await world.customer('ana');
  await ana.json(['deposit', '1.00', '--yes']);
  bia = await signUp(world.daemon().address, 'bia');
});

afterAll(() => world.dispose());

const mebibytes = (): number => {
  const status = readFileSync(`/proc/${world.daemon().pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
};

const openFiles = (): number => readdirSync(`/proc/${world.daemon().pid}/fd`).length;

/** Calls one after the other on a connection of its own, until the flood is over: the refusals. */
async function callDuring(flood: Promise<unknown>): Promise<{ calls: number; refused: string[] }> {
  const client = connect(world.daemon().address);
  const request = { userId: '', currency: '', at: undefined };
  const refused: string[] = [];
  const over = new AbortController();
  const ended = flood.finally(() => over.abort());
  let calls = 0;
  for (; !over.signal.aborted; calls += 1) {
    const answer = await client.call(WalletServiceService.getBalance, request, bia.token, 30_000);
    if (!answer.ok) refused.push(answer.reason);
    await sleep(50);
  }
  client.close();
  await ended;
  return { calls, refused };
}

/**
 * Runs the flood: another client is served during it, and the daemon does not grow without bound.
 */
async function survive(what: string, boundMb: number, flood: () => Promise<void>): Promise<void> {
  const before = mebibytes();
  let most = before;
  const watching = setInterval(() => (most = Math.max(most, mebibytes())), 50);
  const { calls, refused } = await callDuring(flood()).finally(() => clearInterval(watching));
  expect(calls).toBeGreaterThan(0);
  expect(refused).toEqual([]);
  console.log(`${what}: ${before} MB before, ${most} MB at most, ${mebibytes()} MB after`);
  expect(most - before).toBeLessThan(boundMb);
  expect(await ana.json(['balance'])).toMatchObject({ balance: '1.00' });
}

const greeting = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(4, 0, 0),
  frame(4, 1, 0),
]);

function frame(type: number, flags: number, streamId: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

async function connectBare(): Promise<Socket> {
  const [host, port] = world.daemon().address.split(':');
  const socket = connectTcp({ host, port: Number(port) });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(greeting);
  return socket;
}

/**
 * Writes as fast as the daemon takes it, and reads nothing, until it is cut off or gets no further.
 */
async function pour(socket: Socket, chunk: Buffer, times: number): Promise<void> {
  socket.pause();
  const closing = new AbortController();
  socket.once('close', () => closing.abort());
  for (let i = 0; i < times && !closing.signal.aborted; i += 1) {
    if (socket.write(chunk)) continue;
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(3_000)]);
    const isDrained = await once(socket, 'drain', { signal }).catch(() => undefined);
    if (!isDrained) break;
  }
  socket.destroy();
}

const repeat = (bytes: Buffer, times: number): Buffer =>
  Buffer.concat(Array.from({ length: times }, () => bytes));

describe('floods', () => {
  it('a flood of pings does not affect other clients, and has bounded memory', () =>
    survive('pings', 100, async () => {
      const pings = repeat(frame(6, 0, 0, Buffer.alloc(8)), 1_000);
      await pour(await connectBare(), pings, 500);
    }));

  it('a flood of SETTINGS does not affect other clients, and has bounded memory', () =>
    survive('settings', 100, async () => {
      const settings = repeat(frame(4, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100])), 1_000);
      await pour(await connectBare(), settings, 500);
    }));

  it('a flood of endless headers does not affect other clients, and has bounded memory', () =>
    survive('continuations', 100, async () => {
      const socket = await connectBare();
      const literal = Buffer.concat([
        Buffer.from([0, 1, 0x78, 0x7f, 0x81, 0x7e]),
        Buffer.alloc(16_384, 0x61),
      ]);
      socket.write(frame(1, 0, 1, literal.subarray(0, 16_000)));
      await pour(socket, repeat(frame(9, 0, 1, literal.subarray(0, 16_000)), 10), 500);
    }));

  it('a flood of opened and reset streams does not affect other clients', () =>
    survive('rapid reset', 150, async () => {
      const raw = connectRaw(world.daemon().address);
      for (let round = 0; round < 200; round += 1) {
        if (raw.session.destroyed) break;
        for (let i = 0; i < 100; i += 1) {
          raw.open(AuthServiceService.getJwks.path, { messages: [Buffer.alloc(0)] }).close(8);
        }
        await sleep(1);
      }
      await raw.closed;
    }));

  it('2,500 silent connections are cut, and do not affect other clients', () =>
    survive('silent connections', 300, async () => {
      const [host, port] = world.daemon().address.split(':');
      const idle = openFiles();
      const sockets = Array.from({ length: 2_500 }, () =>
        connectTcp({ host, port: Number(port) }).on('error', () => undefined),
      );
      await waitUntil('many accepted', () => Promise.resolve(openFiles() > idle + 1_500), 30_000);
      // Each is cut after ten seconds without a greeting, though none of them is closed here.
      await waitUntil('all cut', () => Promise.resolve(openFiles() < idle + 50), 60_000);
      sockets.forEach((socket) => socket.destroy());
    }));

  it('a flood of incomplete requests does not affect other clients, and has bounded memory', () =>
    survive('requests in parts', 700, async () => {
      const half = Buffer.concat([Buffer.from([0, 0, 4, 0, 0]), Buffer.alloc(200_000)]);
      const clients = Array.from({ length: 40 }, () => connectRaw(world.daemon().address));
      for (const client of clients) {
        for (let i = 0; i < 100; i += 1) {
          client.open(AuthServiceService.signIn.path, { staysOpen: true }).write(half);
        }
      }
      await Promise.race(clients.map((client) => client.closed));
      await sleep(3_000);
      clients.forEach((client) => client.close());
    }));

  it('a flood of sign-ins is refused in part, and does not affect signed-in users', () =>
    survive('sign-ins', 200, async () => {
      const { path, requestSerialize } = AuthServiceService.signIn;
      const request = {
        email: 'x@example.com',
        password: 'not it at all',
        client: '',
        deviceToken: '',
      };
      const messages = [Buffer.from(requestSerialize(request))];
      const clients = Array.from({ length: 8 }, () => connectRaw(world.daemon().address));
      const answers = clients.flatMap((client) =>
        Array.from({ length: 100 }, () => readAnswer(client.open(path, { messages }))),
      );
      const during = await ana.run(['balance', '--json', '--quiet']);
      expect(during.code).toBe(0);
      const codes = (await Promise.all(answers)).map((answer) => answer.status);
      expect(codes.filter((code) => code === 8).length).toBeGreaterThan(0);
      clients.forEach((client) => client.close());
    }));
});
