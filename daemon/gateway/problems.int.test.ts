import { request as openRequest } from 'node:http';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  contract,
  openAccount,
  send,
  startGateway,
  type GatewayWorld,
  type HttpAnswer,
} from '../../tests/support/http/gateway.ts';
import { isHttpFault, statusOf, type HttpFault, type ProblemReason } from './http/problems.ts';
import type { Route } from './http/route.ts';
import { listRoutes } from './index.ts';
import { groupProblems } from './openapi/problems.ts';

let world: GatewayWorld;
let token: string;
let cookie: string;

beforeAll(async () => {
  world = await startGateway();
  token = await openAccount(world, 'ana@example.com');
  const body = { email: 'ana@example.com', password: 'correct horse battery' };
  const signedIn = await send(world.url, 'POST', '/auth/sign-in', { body });
  [cookie = ''] = (signedIn.headers.get('set-cookie') ?? '').split(';');
});
afterAll(() => world.stop());

const unknownId = '00000000-0000-4000-8000-000000000000';
const params = { ':id': unknownId, ':currency': 'BRL', ':user': 'me', ':key': 'x' };
const pathOf = ({ path }: Route): string =>
  path.replace(/:\w+/g, (name) => params[name as keyof typeof params]);
/** What a route cannot do without. */
const queries: Readonly<Record<string, string>> = {
  '/v1/statements/search': '?key=reference&value=order-1042',
};

type Options = NonNullable<Parameters<typeof send>[3]>;

/** A request that the gateway takes, and asks a service for. */
function requestOf(route: Route): Options & { headers: Record<string, string> } {
  const headers: Record<string, string> =
    // Of some routes it depends on the body.
    route.idempotency === 'required' || route.problems.includes('IDEMPOTENCY_KEY_REQUIRED')
      ? { 'idempotency-key': 'k' }
      : {};
  const body = route.method === 'GET' ? {} : { body: route.bodyExample ?? {} };
  return { ...(route.credential === 'required' ? { token } : {}), ...body, headers };
}

const ask = (
  route: Route,
  options: Options,
  path = `${pathOf(route)}${queries[route.path] ?? ''}`,
) => send(world.url, route.method, path, options);

/** What makes a request end with a fault of HTTP; undefined: what no single request can show. */
const provoke: Readonly<Record<HttpFault, ((route: Route) => Promise<HttpAnswer>) | undefined>> = {
  BODY_TOO_LARGE: (route) => ask(route, { ...requestOf(route), body: ' '.repeat(1_100_000) }),
  JSON_INVALID: (route) => ask(route, { ...requestOf(route), body: '{' }),
  MEDIA_TYPE_UNSUPPORTED: (route) =>
    ask(route, { ...requestOf(route), body: 'x', headers: { 'content-type': 'text/plain' } }),
  IDEMPOTENCY_KEY_REQUIRED: (route) => ask(route, { ...requestOf(route), headers: {} }),
  NOT_ACCEPTABLE: (route) => ask(route, { ...requestOf(route), headers: { accept: 'image/png' } }),
  ORIGIN_REFUSED: (route) => askByCookie(route, { origin: 'https://attacker.example' }),
  HOST_UNKNOWN: (route) => askByCookie(route, { host: 'attacker.example' }),
  URI_INVALID: (route) => ask(route, requestOf(route), `${pathOf(route)}%ff`),
  // Files: `exports.int.test.ts`. Connections: `tests/e2e/http`. Paths that are no route.
  RANGE_NOT_SATISFIABLE: undefined,
  REQUEST_TIMEOUT: undefined,
  HEADERS_TOO_LARGE: undefined,
  REQUEST_MALFORMED: undefined,
  METHOD_NOT_ALLOWED: undefined,
  ROUTE_NOT_FOUND: undefined,
};

/** With the session cookie, and headers that `fetch` does not let one set. */
async function askByCookie(route: Route, headers: Record<string, string>): Promise<HttpAnswer> {
  const { body, headers: ofRoute } = requestOf(route);
  const sent = body === undefined ? '' : JSON.stringify(body);
  const answer = await new Promise<HttpAnswer>((resolve, reject) => {
    const request = openRequest(`${world.url}${pathOf(route)}`, {
      method: route.method,
      headers: {
        ...ofRoute,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(sent),
        cookie,
        ...headers,
      },
    });
    request.on('error', reject).on('response', (response) => {
      const chunks: Buffer[] = [];
      response
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: response.statusCode ?? 0,
            headers: new Headers(response.headers as Record<string, string>),
            body: JSON.parse(text) as Record<string, unknown>,
            text,
          });
        });
    });
    request.end(sent);
  });
  contract.check(route.method, pathOf(route), answer);
  return answer;
}

const metadataOf: Readonly<Partial<Record<ProblemReason, Record<string, string>>>> = {
  THROTTLED: { retryAfterSeconds: '30' },
};

/** As a service refuses: what the gateway makes of each reason. */
async function refuse(route: Route, reason: ProblemReason): Promise<HttpAnswer> {
  if (isHttpFault(reason)) throw new Error(`${reason} comes from no service`);
  world.refuse({ reason, message: 'refused', metadata: metadataOf[reason] ?? {} });
  try {
    return await ask(route, requestOf(route));
  } finally {
    world.refuse(undefined);
  }
}

const routes = listRoutes('BRL');
const cells = routes.flatMap((route) =>
  [...groupProblems(route).values()].flat().map((reason) => ({ route, reason })),
);
const isProvoked = (reason: ProblemReason): boolean =>
  !isHttpFault(reason) || provoke[reason] !== undefined;

describe('each problem of each route is answered as documented', () => {
  it.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s answers each of its documented problems',
    async (_name, route) => {
      const seen: (readonly [string, number])[] = [];
      const expected: typeof seen = [];
      for (const { reason } of cells.filter((cell) => cell.route === route)) {
        if (!isProvoked(reason)) continue;
        expected.push([reason, statusOf(reason, route.problemStatuses)]);
        const answer = isHttpFault(reason)
          ? await provoke[reason]!(route)
          : await refuse(route, reason);
        seen.push([String(answer.body['reason']), answer.status]);
      }
      expect(seen).toEqual(expected);
    },
  );

  it('the problems that were not provoked here are few, and of known reasons', () => {
    const left = cells.filter(({ reason }) => !isProvoked(reason));
    const reasons = [...new Set(left.map(({ reason }) => reason))].sort();
    expect(reasons).toEqual([
      'HEADERS_TOO_LARGE',
      'RANGE_NOT_SATISFIABLE',
      'REQUEST_MALFORMED',
      'REQUEST_TIMEOUT',
    ]);
    expect(cells.length - left.length).toBeGreaterThan(900);
  });
});
