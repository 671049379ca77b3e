import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openAccount, startGateway, type GatewayWorld } from '../../tests/support/http/gateway.ts';

const page = 'https://app.example.com';

let world: GatewayWorld;
let token: string;

beforeAll(async () => {
  world = await startGateway(['127.0.0.1'], { corsOrigins: [page] });
  token = await openAccount(world, 'ana@example.com');
});
afterAll(() => world.stop());

async function ask(
  path: string,
  { method = 'GET', ...headers }: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${world.url}${path}`, { method, headers });
}

const allowed = (answer: Response): string | null =>
  answer.headers.get('access-control-allow-origin');
const corsHeaders = (answer: Response): string[] =>
  [...answer.headers.keys()].filter((name) => name.startsWith('access-control-'));
const preflight = { method: 'OPTIONS', 'access-control-request-method': 'POST' };

describe('pages of an origin of HTTP_CORS_ORIGINS', () => {
  it('they may read answers under /v1, problems too, and see which headers those have', async () => {
    const authorization = `Bearer ${token}`;
    const me = await ask('/v1/me', { origin: page, authorization });
    expect(me.status).toBe(200);
    const refused = await ask('/v1/me', { origin: page });
    expect(refused.status).toBe(401);
    for (const answer of [me, refused, await ask('/openapi.json', { origin: page })]) {
      expect(allowed(answer)).toBe(page);
      expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After');
      expect(answer.headers.get('vary')).toMatch(/\borigin$/);
      expect(answer.headers.has('access-control-allow-credentials')).toBe(false);
    }
  });

  it('an answer that depends on Accept too says both', async () => {
    const path = '/v1/statements?currency=BRL&from=2026-01-01&to=2026-01-02';
    const answer = await ask(path, { origin: page, authorization: `Bearer ${token}` });
    expect([answer.status, answer.headers.get('vary')]).toEqual([200, 'accept, origin']);
  });

  it('a preflight request is answered with the methods of its path, and calls no service', async () => {
    const count = world.calls.length;
    const answer = await ask('/v1/transactions', { ...preflight, origin: page });
    expect(answer.status).toBe(204);
    expect(allowed(answer)).toBe(page);
    expect(answer.headers.get('access-control-allow-methods')).toBe('GET, POST');
    expect(answer.headers.get('access-control-allow-headers')).toMatch(
      /Authorization,.*Idempotency-Key/,
    );
    expect(world.calls).toHaveLength(count);
  });

  it('a preflight request for a path that does not exist is refused like any other', async () => {
    const answer = await ask('/v1/nothing', { ...preflight, origin: page });
    expect(answer.status).toBe(404);
  });

  it.each(['/auth/me', '/wallet/balance', '/docs', '/', '/v1'])(
    'they may not read %s, which is for pages of this server',
    async (path) => {
      expect(corsHeaders(await ask(path, { origin: page }))).toEqual([]);
      const asked = await ask(path, { ...preflight, origin: page });
      expect([corsHeaders(asked), asked.status === 204]).toEqual([[], false]);
    },
  );
});

describe('pages of other origins, with HTTP_CORS_ORIGINS', () => {
  it.each([
    'https://app.example.com.evil.example',
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://APP.example.com',
    'null',
    '*',
  ])('a page of %s may read no answer, and its preflight request is refused', async (origin) => {
    const answer = await ask('/v1/me', { origin, authorization: `Bearer ${token}` });
    expect([answer.status, corsHeaders(answer)]).toEqual([200, []]);
    // A cache must not give this answer to a page of a named origin.
    expect(answer.headers.get('vary')).toBe('origin');
    const asked = await ask('/v1/me', { ...preflight, origin });
    expect([asked.status, corsHeaders(asked)]).toEqual([405, []]);
  });

  it('a page of a named origin may not sign in with a cookie, nor use one to change anything', async () => {
    const headers = { origin: page, 'sec-fetch-site': 'same-site', method: 'POST' };
    const signIn = await fetch(`${world.url}/auth/sign-in`, {
      ...{ method: 'POST', headers: { ...headers, 'content-type': 'application/json' } },
      body: JSON.stringify({ email: 'ana@example.com', password: 'correct horse battery' }),
    });
    expect([signIn.status, signIn.headers.get('set-cookie')]).toEqual([403, null]);
    const signOut = await ask('/auth/sign-out', { ...headers, cookie: 'token=dws_x' });
    expect(signOut.status).toBe(403);
  });
});

describe('pages of other origins, without HTTP_CORS_ORIGINS', () => {
  it('no answer has a header of CORS, and no preflight request is accepted', async () => {
    const closed = await startGateway();
    try {
      const answer = await fetch(`${closed.url}/v1/me`, { headers: { origin: page } });
      expect([corsHeaders(answer), answer.headers.get('vary')]).toEqual([[], null]);
      const { method, ...asked } = { ...preflight, origin: page };
      const refused = await fetch(`${closed.url}/v1/me`, { method, headers: asked });
      expect([refused.status, corsHeaders(refused)]).toEqual([405, []]);
    } finally {
      await closed.stop();
    }
  });
});
