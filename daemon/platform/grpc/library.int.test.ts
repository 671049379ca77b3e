import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { createServer, type AddressInfo } from 'node:net';

import { Server, ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { afterEach, expect, it } from 'vitest';

import { connectRaw, type RawClient } from '../../../tests/support/grpc/raw-http2.ts';

// Each test checks something that daemon/platform/grpc uses and that the library does not promise.
// If one fails after an update, read the file it names before the version below is changed.

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

const require = createRequire(import.meta.url);
const versionOf = (name: string): string => {
  const manifest = require.resolve(`${name}/package.json`);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
};

it('the gRPC libraries are the versions that these tests were written for', () => {
  expect(versionOf('@grpc/grpc-js')).toBe('1.14.7');
  expect(versionOf('grpc-health-check')).toBe('2.1.0');
});

type Internals = {
  readonly commonServerOptions: Record<string, unknown>;
  readonly http2Servers: ReadonlyMap<Http2Server, { readonly sessions: ReadonlySet<unknown> }>;
};
const internalsOf = (server: Server): Internals => server as unknown as Internals;

function open(settings: Readonly<Record<string, number>> = {}) {
  const server = new Server({ 'grpc.max_receive_message_length': 1_000 });
  Object.assign(internalsOf(server).commonServerOptions, { settings });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const [http2Server] = internalsOf(server).http2Servers.keys();
  if (!http2Server) throw new Error('there is no HTTP/2 server');
  releases.push(() => server.forceShutdown());
  return { server, injector, http2Server };
}

/** Serves one unary method, and keeps the calls that the library gave it. */
async function serve({ server, injector }: Pick<ReturnType<typeof open>, 'server' | 'injector'>) {
  const same = (bytes: Buffer): Buffer => bytes;
  const path = '/test.Test/echo';
  const codec = { requestSerialize: same, requestDeserialize: same };
  const types = { responseSerialize: same, responseDeserialize: same };
  const method = { path, requestStream: false, responseStream: false, ...codec, ...types };
  const calls: ServerUnaryCall<Buffer, Buffer>[] = [];
  const overs: number[] = [];
  server.addService(
    { echo: method },
    {
      echo: (
        call: ServerUnaryCall<Buffer, Buffer>,
        callback: (err: null, answer: Buffer) => void,
      ) => {
        calls.push(call);
        call.once('cancelled', () => overs.push(calls.indexOf(call)));
        callback(null, call.request);
      },
    },
  );
  const listener = createServer((socket) => injector.injectConnection(socket));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  releases.push(() => listener.close());
  const address = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  return { address, path, calls, overs };
}

function clientOf(address: string): RawClient {
  const raw = connectRaw(address);
  releases.push(() => raw.close());
  return raw;
}

it('HTTP/2 options that are added to a gRPC server reach its clients (server.ts)', async () => {
  const opened = open({ maxHeaderListSize: 12_345 });
  const { address } = await serve(opened);
  const session = connect(`http://${address}`);
  releases.push(() => session.destroy());
  const settings = await new Promise<object>((resolve) => session.once('remoteSettings', resolve));
  expect(settings).toMatchObject({ maxHeaderListSize: 12_345 });
});

it('an injector has one HTTP/2 server with one stream listener (fast-path/router.ts)', () => {
  const { server, http2Server } = open();
  expect(internalsOf(server).http2Servers.size).toBe(1);
  expect(http2Server.listeners('stream')).toHaveLength(1);
});

it('injectConnection emits the session before it returns (track-sessions.ts)', async () => {
  const { injector, http2Server } = open();
  const sessions: ServerHttp2Session[] = [];
  http2Server.on('session', (session) => sessions.push(session));
  const counts: number[] = [];
  const listener = createServer((socket) => {
    injector.injectConnection(socket);
    counts.push(sessions.length);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  releases.push(() => listener.close());
  const { port } = listener.address() as AddressInfo;
  const session = connect(`http://127.0.0.1:${port}`);
  releases.push(() => session.destroy());
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  expect(counts).toEqual([1]);
});

it('a stream listener that is called later serves its stream (fast-path/router.ts)', async () => {
  const opened = open();
  const { http2Server } = opened;
  const [listener] = http2Server.listeners('stream');
  http2Server.removeAllListeners('stream');
  http2Server.on('stream', (...args: unknown[]) => {
    setImmediate(() => void listener?.apply(http2Server, args));
  });
  const { address, path } = await serve(opened);
  const answer = await clientOf(address).call(path, { messages: [Buffer.from('?')] });
  expect(answer).toMatchObject({ status: 0 });
});

it('every call that is over emits "cancelled", even if it was answered (incoming.ts)', async () => {
  const { address, path, overs } = await serve(open());
  const raw = clientOf(address);
  await raw.call(path, { messages: [Buffer.from('?')] });
  await raw.call(path, { messages: [Buffer.from('?')] });
  await expect.poll(() => overs, { timeout: 20_000 }).toEqual([0, 1]);
});

it('a call has its deadline by the wall clock (incoming.ts)', async () => {
  const { address, path, calls } = await serve(open());
  const headers = { 'grpc-timeout': '10S' };
  await clientOf(address).call(path, { headers, messages: [Buffer.from('?')] });
  const leftMs = Number(calls[0]?.getDeadline()) - Date.now();
  expect(leftMs).toBeGreaterThan(0);
  expect(leftMs).toBeLessThan(11_000);
});

it('a message over the limit is refused with the text of the fast path (direct.ts)', async () => {
  const { address, path } = await serve(open());
  const answer = await clientOf(address).call(path, { messages: [Buffer.alloc(1_001)] });
  expect(answer).toMatchObject({
    status: 8,
    message: 'Received message larger than max (1001 vs 1000)',
  });
});

it('the health service keeps its watches in a map of sets by name (health-watch.ts)', () => {
  const health = new HealthImplementation({ '': 'SERVING' });
  const { watchers } = health as unknown as { readonly watchers: unknown };
  expect(watchers).toBeInstanceOf(Map);
});
