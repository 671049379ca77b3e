import { connect, type ClientHttp2Stream } from 'node:http2';

import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import {
  StatementServiceService,
  WatchLinesRequest,
  type WatchLinesResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { frameOf } from '../../../tests/fuzz/http2.ts';
import { readEnd } from '../../../tests/support/grpc/any-call.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { makeLines } from '../../../tests/support/ledger/statement-model.ts';
import type { Access, Principal, UserPrincipal } from '../../platform/access/access.ts';
import { loadLimits } from '../../platform/grpc/admission/load-limits.ts';
import { connectionLimits } from '../../platform/grpc/ingress/listener.ts';
import { sessionLimits } from '../../platform/grpc/ingress/sessions.ts';
import { createGrpcServer, type GrpcServer } from '../../platform/grpc/server.ts';
import { createLog } from '../../platform/log.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import {
  createStatementWorld,
  startMs,
  toLines,
  userOf,
  type StatementWorld,
} from '../test-support.ts';
import { project } from './test-support.ts';

let database: TestDatabase;
let world: StatementWorld;
let statement: Awaited<ReturnType<StatementWorld['start']>>;
let server: GrpcServer;
let address: string;
let ana: UserPrincipal;
const users = new Map<string, UserPrincipal>();
const revoked = new Set<string>();
const clients: Client[] = [];

/** `Bearer <user id>` is that user. */
const identify = (authorization: string | undefined): Promise<Result<Principal>> => {
  const userId = authorization?.split(' ')[1] ?? '';
  const user = users.get(userId);
  return Promise.resolve(
    !user || revoked.has(userId) ? refuse('TOKEN_REVOKED', 'not signed in') : succeed(user),
  );
};
const access: Access = {
  validateToken: () => Promise.resolve(refuse('TOKEN_INVALID', 'no tokens here')),
  isService: () => false,
  identify,
  authorize: identify,
  recall: () => undefined,
};

const know = (): UserPrincipal => {
  const user = world.know(userOf());
  users.set(user.userId, user);
  return user;
};

async function serve(streamIdleMs: number): Promise<void> {
  server = createGrpcServer({
    services: [statement.service],
    ...{ access, log: createLog('silent') },
    limits: {
      load: { ...loadLimits, streamIdleMs },
      ...{ connections: connectionLimits, sessions: sessionLimits },
    },
  });
  address = `127.0.0.1:${(await server.listen('127.0.0.1:0')).port}`;
}

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  statement = await world.start();
  ana = know();
});
afterEach(async () => {
  clients.splice(0).forEach((client) => client.close());
  await server.stop(500);
  await statement.stop();
  await database.drop();
});

const method = StatementServiceService.watchLines;
const requestOf = (cursor = '') => WatchLinesRequest.fromPartial({ cursor });

function createClient(): Client {
  const channel = { 'grpc.use_local_subchannel_pool': 1 };
  const client = new Client(address, credentials.createInsecure(), channel);
  clients.push(client);
  return client;
}

/** A watch by gRPC: its first cursor, or how it ended before; and how it ends. */
function watch({ userId }: UserPrincipal, client = createClient()) {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${userId}`);
  const call = client.makeServerStreamRequest<WatchLinesRequest, WatchLinesResponse>(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    requestOf(),
    metadata,
  );
  const ended = new Promise<{ reason: string; limit: string | undefined }>((resolve) => {
    call.on('error', (err) => {
      const { reason, metadata: of } = readEnd(err as ServiceError);
      resolve({ reason, limit: of['limit'] });
    });
    call.on('end', () => resolve({ reason: 'OK', limit: undefined }));
  });
  const cursor = new Promise<string>((resolve) => {
    call.on('data', (response: WatchLinesResponse) => resolve(response.cursor));
  });
  const begun = Promise.race([cursor, ended.then(({ reason }) => reason)]);
  return { begun, ended, cancel: () => call.cancel() };
}

/** A position before more lines than the server holds for a reader. */
async function storeMany(): Promise<string> {
  const first = watch(ana);
  const cursor = await first.begun;
  first.cancel();
  const lines = toLines(ana.userId, 'BRL', makeLines(6_000, 6_000, startMs));
  for (let i = 0; i < lines.length; i += 2_000) {
    await project(statement, lines.slice(i, i + 2_000));
  }
  return cursor;
}

const countStreams = (): number => server.readCounts().streams;
const waitFor = (look: () => void) => vi.waitFor(look, { timeout: 20_000, interval: 20 });

describe('readers who take nothing', () => {
  it('a client that reads nothing loses its watch with STREAM_IDLE, and its slot', async () => {
    await serve(600);
    const cursor = await storeMany();
    const session = connect(`http://${address}`);
    session.on('error', () => undefined);
    const stream: ClientHttp2Stream = session.request({
      ...{ ':method': 'POST', ':path': method.path, te: 'trailers' },
      ...{ 'content-type': 'application/grpc', authorization: `Bearer ${ana.userId}` },
    });
    stream.end(frameOf(Buffer.from(WatchLinesRequest.encode(requestOf(cursor)).finish())));
    const trailers = new Promise<object>((resolve) => stream.on('trailers', resolve));
    await waitFor(() => expect(countStreams()).toBe(1));
    await waitFor(() => expect(countStreams()).toBe(0));
    stream.on('data', () => undefined);
    // ABORTED
    expect(await trailers).toMatchObject({ 'grpc-status': '10' });
    session.destroy();
  });

  it('a caller in this process that reads nothing loses its watch and its slot too', async () => {
    await serve(600);
    const cursor = await storeMany();
    const authorization = `Bearer ${ana.userId}`;
    const caller = server.createCaller();
    const answers = caller.stream(method, requestOf(cursor), { authorization });
    const iterator = answers[Symbol.asyncIterator]();
    await iterator.next();
    await waitFor(() => expect(countStreams()).toBe(0));
    const read = async (): Promise<void> => {
      while (!(await iterator.next()).done);
    };
    const err: unknown = await read().catch((thrown: unknown) => thrown);
    expect(findTransientRejection(err)?.reason).toBe('STREAM_IDLE');
  });
});

describe('limits and ends', () => {
  it('a user has at most 8 watches, and all users together 100', async () => {
    await serve(60_000);
    const people = [ana, ...Array.from({ length: 12 }, know)];
    const connections = people.map(() => createClient());
    const open = (count: number) =>
      Promise.all(
        people.flatMap((user, i) =>
          Array.from({ length: i === 12 ? count : 8 }, () => watch(user, connections[i]).begun),
        ),
      );
    const begun = await open(4);
    expect(begun).toHaveLength(100);
    expect(begun).not.toContain('OVERLOADED');
    expect(countStreams()).toBe(100);
    expect(await watch(ana).ended).toEqual({ reason: 'OVERLOADED', limit: '8' });
    expect(await watch(people[12]!).ended).toEqual({ reason: 'OVERLOADED', limit: '100' });
  });

  it('a watch whose client has gone gives its slot back', async () => {
    await serve(60_000);
    const watched = watch(ana);
    await watched.begun;
    expect(countStreams()).toBe(1);
    watched.cancel();
    await waitFor(() => expect(countStreams()).toBe(0));
  });

  it('watches end with SHUTTING_DOWN when the server stops, and it waits for none', async () => {
    await serve(60_000);
    const watched = [watch(ana), watch(ana), watch(know())];
    await Promise.all(watched.map(({ begun }) => begun));
    const stopping = server.stop(30_000);
    const ends = await Promise.all(watched.map(({ ended }) => ended));
    // A watch that the server had to cut would have another message, but the same reason.
    expect(ends.map(({ reason }) => reason)).toEqual(watched.map(() => 'SHUTTING_DOWN'));
    expect(countStreams()).toBe(0);
    await stopping;
  });

  it('a watch ends with the refusal once its credential is revoked', async () => {
    await serve(60_000);
    const bia = know();
    const [kept, ended] = [watch(ana), watch(bia)];
    await Promise.all([kept.begun, ended.begun]);
    revoked.add(bia.userId);
    expect((await ended.ended).reason).toBe('TOKEN_REVOKED');
    expect(countStreams()).toBe(1);
  });
});
