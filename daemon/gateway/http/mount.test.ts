import type { AddressInfo, Socket } from 'node:net';

import { expect, it } from 'vitest';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import {
  AuthServiceService,
  GetUserRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { openRaw, toRequest } from '../../../tests/support/http/raw.ts';
import type { Caller } from '../../platform/grpc/caller/caller.ts';
import { createAddressSet } from '../../platform/grpc/ingress/source.ts';
import { createLog } from '../../platform/log.ts';
import { createBrowserSessions, type AccessGrant } from '../browser-sessions.ts';
import { mountRoutes } from './mount.ts';
import { createHostCheck } from './request.ts';
import { answer, defineRoute, type Route } from './route.ts';
import { createHttpServer } from './server.ts';

const route = defineRoute({
  ...{ method: 'GET', path: '/me', tag: 'test', summary: 'Ask twice' },
  credential: 'required',
  answers: {},
  problems: [],
  run: async ({ call, callOptions }) => {
    for (let count = 0; count < 2; count += 1) {
      const method = AuthServiceService.getUser;
      const got = await call('auth', method, GetUserRequest.fromPartial({}));
      if (!got.ok) return got;
    }
    return answer(200, { authorization: callOptions.authorization });
  },
});

const signOut = defineRoute({
  ...{ method: 'POST', path: '/sign-out', tag: 'test', summary: 'End the session' },
  credential: 'required',
  answers: {},
  problems: [],
  run: () =>
    Promise.resolve({ ok: true, status: 204, session: { token: '', maxAgeSeconds: 0 } } as const),
});

/** Says whether the client had gone when the route began. */
const leftRoute = (onRun: (hasLeft: boolean) => void) =>
  defineRoute({
    ...{ method: 'GET', path: '/left', tag: 'test', summary: 'Say whether the client has gone' },
    credential: 'required',
    answers: {},
    problems: [],
    run: ({ signal }) => {
      onRun(signal.aborted);
      return Promise.resolve(answer(200, {}));
    },
  });

const grantOf = (accessToken: string): Result<AccessGrant> =>
  succeed({ accessToken, expiresAtMs: Date.now() + 15 * 60_000 });

/** A gateway before a service that accepts some tokens, with what exchanges answer in turn. */
function createWorld(
  accepted: readonly string[],
  exchanges: readonly (Result<AccessGrant> | Promise<Result<AccessGrant>>)[],
  routes: readonly Route[] = [route, signOut],
) {
  const calls: (string | undefined)[] = [];
  let exchanged = 0;
  const caller: Caller = {
    call: (_method, _request, options) => {
      calls.push(options?.authorization);
      const isAccepted = accepted.includes(options?.authorization ?? '');
      const result = isAccepted ? succeed({}) : refuse('TOKEN_REVOKED', 'revoked');
      return Promise.resolve(result as Result<never>);
    },
    stream: () => {
      throw new Error('not used');
    },
    close: () => undefined,
  };
  const decorateProblem = (_path: string, problem: object): object => problem;
  const log = createLog('silent');
  const proxies = createAddressSet([]);
  const server = createHttpServer({
    methodsOf: () => [],
    log,
    proxies,
    tls: undefined,
    decorateProblem,
  });
  mountRoutes(server, routes, {
    callers: { auth: caller, wallet: caller, statement: caller },
    decorateProblem,
    hosts: createHostCheck(['localhost']),
    sessions: createBrowserSessions({
      exchange: () => {
        exchanged += 1;
        return Promise.resolve(exchanges[exchanged - 1] ?? refuse('INTERNAL', 'one too many'));
      },
    }),
    inFlight: new Set(),
    stopping: new AbortController().signal,
  });
  const ask = (headers: Record<string, string> = { cookie: `token=dws_${'a'.repeat(43)}` }) =>
    server.inject({ method: 'GET', url: '/me', headers: { host: 'localhost', ...headers } });
  const leave = () =>
    server.inject({
      ...{ method: 'POST', url: '/sign-out' },
      headers: { host: 'localhost', cookie: `token=dws_${'a'.repeat(43)}` },
    });
  return { ask, leave, calls, server, countExchanges: () => exchanged };
}

it('a kept access token that was revoked is replaced, and the call is made again', async () => {
  const { ask, calls, countExchanges } = createWorld(
    ['Bearer new'],
    [grantOf('old'), grantOf('new')],
  );
  const answered = await ask();
  expect(answered.json()).toEqual({ authorization: 'Bearer new' });
  expect(calls).toEqual(['Bearer old', 'Bearer new', 'Bearer new']);
  await ask();
  expect(countExchanges()).toBe(2);
});

it('an access token is replaced once in a request, and the cookie stays', async () => {
  const { ask, calls } = createWorld([], [grantOf('old'), grantOf('new')]);
  const refused = await ask();
  expect(refused.json()).toMatchObject({ status: 401, reason: 'TOKEN_REVOKED' });
  expect(refused.headers['set-cookie']).toBeUndefined();
  expect(calls).toEqual(['Bearer old', 'Bearer new']);
});

it('after a sign-out no access token is kept for the cookie', async () => {
  const ended = refuse('TOKEN_INVALID', 'the session has ended', { field: 'browser_token' });
  const { ask, leave, calls } = createWorld(['Bearer first'], [grantOf('first'), ended]);
  expect((await leave()).statusCode).toBe(204);
  expect((await ask()).statusCode).toBe(401);
  expect(calls).toEqual([]);
});

it.each([
  [
    'has ended',
    refuse('TOKEN_INVALID', 'the session has ended', { field: 'browser_token' }),
    { status: 401, field: 'Cookie' },
    'token=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0',
  ],
  ['is unknown for now', refuse('AUTH_UNAVAILABLE', 'try again'), { status: 503 }, undefined],
])('of a session that %s, the refusal is answered', async (_how, rejected, problem, setCookie) => {
  const later = createWorld([], [grantOf('old'), rejected]);
  const atOnce = createWorld([], [rejected]);
  for (const { ask } of [later, atOnce]) {
    const refused = await ask();
    expect(refused.json()).toMatchObject(problem);
    expect(refused.headers['set-cookie']).toBe(setCookie);
  }
});

it('a revoked token of the header Authorization is not replaced', async () => {
  const { ask, calls, countExchanges } = createWorld([], []);
  const refused = await ask({ authorization: 'bearer old', cookie: `token=dws_${'a'.repeat(43)}` });
  expect(refused.json()).toMatchObject({ status: 401, reason: 'TOKEN_REVOKED' });
  expect(calls).toEqual(['Bearer old']);
  expect(countExchanges()).toBe(0);
});

it('a client that leaves while its cookie is looked at has left when the route begins', async () => {
  let grant = (_granted: Result<AccessGrant>): void => undefined;
  const granting = new Promise<Result<AccessGrant>>((resolve) => (grant = resolve));
  let onRun = (_hasLeft: boolean): void => undefined;
  const running = new Promise<boolean>((resolve) => (onRun = resolve));
  const { server, countExchanges } = createWorld([], [granting], [leftRoute(onRun)]);
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const connection = openRaw(port);
  const left = new Promise<void>((resolve) => {
    server.server.once('connection', (socket: Socket) => socket.once('close', () => resolve()));
  });
  const cookie = `token=dws_${'a'.repeat(43)}`;
  connection.write(toRequest('GET', '/left', { Host: 'localhost', Cookie: cookie }));
  while (countExchanges() === 0) await new Promise((resolve) => setImmediate(resolve));
  connection.close();
  await left;
  grant(grantOf('token'));
  expect(await running).toBe(true);
  await server.close();
});
