import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';

import { frame, settings, types, u32 } from '../../../../tests/fuzz/http2-bytes.ts';
import { sessionLimits, watchSessions } from './sessions.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const connections = 10;
const maxLooks = 100;

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

/** A server whose sessions are watched. It keeps the sessions, as Node may, and no socket. */
async function start() {
  const server = createHttp2Server();
  const sessions: ServerHttp2Session[] = [];
  const sockets: WeakRef<object>[] = [];
  server.on('session', (session) => {
    session.on('error', () => undefined);
    sessions.push(session);
  });
  const log = pino({ level: 'silent' });
  const limits = sessionLimits;
  const quiet = { isRequestStream: () => false, endStreams: () => undefined };
  const watch = watchSessions({ server, limits, log, ...quiet });
  const listener = createServer((socket) => {
    sockets.push(new WeakRef(socket));
    watch.begin(socket, () => server.emit('connection', socket));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  releases.push(() => {
    watch.stop();
    listener.close();
  });
  return { port: (listener.address() as AddressInfo).port, sessions, sockets };
}

/** Writes this, and waits for the end of the connection. */
function write(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('error', () => undefined);
    socket.on('data', () => undefined);
    socket.on('close', () => resolve());
  });
}

async function countAlive(objects: readonly WeakRef<object>[]): Promise<number> {
  const count = (): number => objects.filter((object) => object.deref() !== undefined).length;
  for (let i = 0; i < maxLooks && count() > 0; i += 1) {
    await sleep(20);
    collectGarbage();
  }
  return count();
}

describe('sessions that are over', () => {
  // Node keeps a session whose SETTINGS were never acknowledged for as long as its handle lives.
  // What ends such a session is an error whose stack holds the handle, and its socket holds that.
  const broken = {
    'a window beyond its end': frame(types.window, 0, 0, u32(2 ** 31 - 1)),
    'a window opened by nothing': frame(types.window, 0, 0, u32(0)),
    'settings that may not be': settings([4, 2 ** 31]),
  };
  it.each(Object.entries(broken))('a session ended by %s releases its socket', async (_, bytes) => {
    const { port, sessions, sockets } = await start();
    const whole = Buffer.concat([preface, settings(), bytes]);
    for (let i = 0; i < connections; i += 1) await write(port, whole);
    expect(sessions).toHaveLength(connections);
    expect(await countAlive(sockets)).toBe(0);
    expect(sessions.every((session) => session.destroyed)).toBe(true);
  });
});
