import { afterAll, beforeAll, expect, it } from 'vitest';

import { findFreePort } from '../../support/free-port.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

let world: World;
let url: string;

beforeAll(async () => {
  world = await createWorld();
  const port = await findFreePort();
  url = `http://127.0.0.1:${port}`;
  await world.start({ WALLETD_HTTP_LISTEN: `127.0.0.1:${port}` });
});
afterAll(() => world.dispose());

/** A client with a cookie jar, which knows nothing of this system but its five routes. */
function createClient() {
  let cookie = '';
  return async (method: string, path: string, body?: object) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(cookie === '' ? {} : { cookie }),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    for (const set of response.headers.getSetCookie()) cookie = set.split(';')[0] ?? '';
    const text = await response.text();
    return {
      status: response.status,
      setCookie: response.headers.getSetCookie()[0],
      text,
      body: (text === '' ? {} : JSON.parse(text)) as unknown,
    };
  };
}

const person = { email: 'ana@example.com', password: 'correct horse battery' };

it('a client with cookies signs up, signs in, moves money and gets a statement', async () => {
  const call = createClient();
  const signUp = { ...person, confirmPassword: person.password };
  expect((await call('POST', '/auth/sign-up', signUp)).status).toBe(200);
  const signedIn = await call('POST', '/auth/sign-in', person);
  expect(signedIn.status).toBe(200);
  expect(signedIn.setCookie).toMatch(/^token=dws_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict/);

  const move = (body: object) => call('POST', '/wallet/transaction', body);
  const deposit = await move({ operation: 0, amount: 200 });
  expect(deposit).toMatchObject({ status: 201, body: { status: 201 } });
  expect((await move({ operation: 1, amount: 40.01 })).status).toBe(201);
  const purchase = await move({ operation: 2, amount: '9.99' });
  expect(purchase.status).toBe(201);
  const { id } = (purchase.body as { transaction: { id: string } }).transaction;
  expect((await move({ operation: 4, transactionId: id })).status).toBe(201);
  const withdrawn = await move({ operation: 1, amount: 1 });
  const { id: parentId } = (withdrawn.body as { transaction: { id: string } }).transaction;
  const reversed = await move({ operation: 3, transactionId: parentId });
  // Reversals are for staff, unless SELF_SERVICE_OPERATIONS says otherwise; loopback is open.
  expect(reversed.status).toBe(201);

  const balance = await call('GET', '/wallet/balance');
  expect(balance.text).toContain('"balance":159.99');
  expect(balance.body).toMatchObject({ status: 200, balanceText: '159.99' });

  const refused = await move({ operation: 1, amount: 1_000 });
  expect(refused.body).toMatchObject({
    status: 400,
    reason: 'INSUFFICIENT_FUNDS',
    error: [expect.stringContaining('159.99')],
  });
  expect(refused.status).toBe(400);

  const today = new Date().toISOString().slice(0, 10);
  const statement = await call('POST', '/statement/generate', { maxDate: today });
  expect(statement).toMatchObject({ status: 200, body: { status: 200 } });
  const { items } = statement.body as { items: { amount: string; balance: string }[] };
  expect(items).toHaveLength(6);
  expect(items.map(({ amount }) => amount)).toContain('R$200.00');

  expect((await call('POST', '/auth/sign-out')).status).toBe(200);
  const anonymous = await createClient()('GET', '/wallet/balance');
  expect(anonymous).toMatchObject({
    status: 401,
    body: { statusCode: 401, message: 'Unauthorized' },
  });
});

it('the cookie of a session that was ended is refused', async () => {
  const call = createClient();
  await call('POST', '/auth/sign-in', person);
  expect((await call('GET', '/wallet/balance')).status).toBe(200);
  const again = createClient();
  await again('POST', '/auth/sign-in', person);
  const { text } = await again('GET', '/auth/me');
  expect(text).toContain('ana@example.com');
  expect((await call('POST', '/auth/sign-out')).status).toBe(200);
  expect((await again('GET', '/wallet/balance')).status).toBe(200);
});

it('two requests with one key at once make one transaction', async () => {
  const call = createClient();
  await call('POST', '/auth/sign-in', person);
  const cookie = (await call('POST', '/auth/sign-in', person)).setCookie?.split(';')[0] ?? '';
  const twins = await Promise.all(
    Array.from({ length: 50 }, () =>
      fetch(`${url}/wallet/transaction`, {
        method: 'POST',
        headers: { cookie, 'content-type': 'application/json', 'idempotency-key': '"twin"' },
        body: JSON.stringify({ operation: 0, amount: 1 }),
      }),
    ),
  );
  const answers = await Promise.all(
    twins.map(async (twin) => ({ status: twin.status, body: (await twin.json()) as object })),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(49).fill(200), 201]);
  const ids = answers.map(({ body }) => (body as { transaction: { id: string } }).transaction.id);
  expect(new Set(ids).size).toBe(1);
});
