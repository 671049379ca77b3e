import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  deposit,
  expectProblem,
  json,
  person,
  startHostileWorld,
  type Headers,
  type HostileWorld,
} from './hostile-world.ts';

let world: HostileWorld;
let cookie: string;
beforeAll(async () => {
  world = await startHostileWorld();
  ({ cookie } = world);
});
afterAll(() => world.dispose());
afterEach(() => world.expectUnchanged());

describe('a cookie', () => {
  const session = `token=dws_${'a'.repeat(43)}`;
  it.each<[string, () => Headers, number, string]>([
    [
      'from a page of another site',
      () => ({ Cookie: cookie, Origin: 'http://evil.example' }),
      403,
      'ORIGIN_REFUSED',
    ],
    ['from a sandboxed page', () => ({ Cookie: cookie, Origin: 'null' }), 403, 'ORIGIN_REFUSED'],
    [
      'from a site beside it',
      () => ({ Cookie: cookie, 'Sec-Fetch-Site': 'same-site' }),
      403,
      'ORIGIN_REFUSED',
    ],
    ['under another name', () => ({ Cookie: cookie, Host: 'evil.example' }), 421, 'HOST_UNKNOWN'],
    ['under no name', () => ({ Cookie: cookie, Host: '' }), 421, 'HOST_UNKNOWN'],
    ['of no session', () => ({ Cookie: session }), 401, 'TOKEN_INVALID'],
    [
      'beside another of its name',
      () => ({ Cookie: `${session}; ${cookie}` }),
      400,
      'REQUEST_MALFORMED',
    ],
    [
      'behind another of its name',
      () => ({ Cookie: `${cookie}; ${session}` }),
      400,
      'REQUEST_MALFORMED',
    ],
    [
      'beside a bad token',
      () => ({ Cookie: cookie, Authorization: 'Bearer x' }),
      401,
      'TOKEN_INVALID',
    ],
    [
      'beside another scheme',
      () => ({ Cookie: cookie, Authorization: 'Basic YTpi' }),
      401,
      'TOKEN_INVALID',
    ],
  ])('a cookie %s moves no money', async (_what, headers, status, reason) => {
    expectProblem(await world.move(headers()), status, reason);
  });

  it('a target that names another server counts, and not the header Host', async () => {
    const headers = { ...json, Cookie: cookie, Host: '127.0.0.1' };
    const answer = await world.send(
      'POST',
      'http://evil.example/wallet/transaction',
      headers,
      deposit,
    );
    expectProblem(answer, 421, 'HOST_UNKNOWN');
  });

  it('a cookie of a session that has ended moves no money', async () => {
    const signedIn = await world.send('POST', '/auth/sign-in', json, JSON.stringify(person));
    const ended = { Cookie: signedIn.headers['set-cookie']?.split(';')[0] ?? '' };
    expect((await world.send('POST', '/auth/sign-out', ended)).status).toBe(200);
    const answer = await world.move(ended);
    expect(answer.status).toBe(401);
    expectProblem(answer, 401, String(answer.body['reason']));
  });
});
