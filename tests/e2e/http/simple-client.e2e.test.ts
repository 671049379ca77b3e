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

type Answer = {
  readonly status: number;
  readonly setCookie: string | undefined;
  readonly text: string;
  readonly body: unknown;
};

/** A client with a cookie jar, which knows nothing of this system but its five routes. */
function createClient() {
  let cookie = '';
  return async (method: string, path: string, body?: object): Promise<Answer> => {
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

/** What the original answers (docs/original.md), and what a client of it reads of ours. */
function show(request: string, original: string, { status, text }: Answer): void {
  console.log(`${request}\n  original  ${original}\n  walletd   ${status} ${text}`);
}

it('a client with cookies signs up, signs in, moves money and gets a statement', async () => {
  const call = createClient();
  const signUp = { ...person, confirmPassword: person.password };
  const signedUp = await call('POST', '/auth/sign-up', signUp);
  show('POST /auth/sign-up', '200, empty, Set-Cookie: token', signedUp);
  expect(signedUp.status).toBe(200);
  expect(signedUp.setCookie).toMatch(/^token=/);
  const signedIn = await call('POST', '/auth/sign-in', person);
  show('POST /auth/sign-in', '200, empty, Set-Cookie: token', signedIn);
  expect(signedIn.status).toBe(200);
  expect(signedIn.setCookie).toMatch(/^token=dws_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict/);

  const move = async (body: object): Promise<string> => {
    const moved = await call('POST', '/wallet/transaction', body);
    show(`POST /wallet/transaction ${JSON.stringify(body)}`, '201 {"status":201}', moved);
    expect(moved).toMatchObject({ status: 201, body: { status: 201, replayed: false } });
    return (moved.body as { transaction: { id: string } }).transaction.id;
  };
  await move({ operation: 0, amount: 200 });
  const withdrawId = await move({ operation: 1, amount: 40.01 });
  const purchaseId = await move({ operation: 2, amount: 9.99 });
  await move({ operation: 3, transactionId: withdrawId });
  await move({ operation: 4, transactionId: purchaseId });
  await move({ operation: 1, amount: 40.01 });

  const balance = await call('GET', '/wallet/balance');
  show('GET /wallet/balance', '200 {"status":200,"balance":159.99}', balance);
  expect(balance.text).toMatch(/^\{"status":200,"balance":159\.99,/);

  const tooMuch = await call('POST', '/wallet/transaction', { operation: 1, amount: 1_000 });
  show('POST /wallet/transaction', '400 {"status":400,"error":["Insufficient balance"]}', tooMuch);
  const error = [expect.stringContaining('159.99')];
  expect(tooMuch.body).toMatchObject({ status: 400, reason: 'INSUFFICIENT_FUNDS', error });
  expect(tooMuch.status).toBe(400);

  const today = new Date().toISOString().slice(0, 10);
  const statement = await call('POST', '/statement/generate', { maxDate: today });
  const line = '{"amount":"R$200.00","balance":"R$200.00","operation":"…","date":"10/07/2023"}';
  show('POST /statement/generate', `200 {"status":200,"items":[${line},…]}`, statement);
  expect(statement).toMatchObject({ status: 200, body: { status: 200 } });
  const { items } = statement.body as { items: Record<string, string>[] };
  const amounts = ['200.00', '40.01', '9.99', '40.01', '9.99', '40.01'].map((each) => `R$${each}`);
  expect(items.map(({ amount }) => amount)).toEqual(amounts);
  for (const item of items) {
    expect(Object.keys(item).sort()).toEqual(['amount', 'balance', 'date', 'operation']);
    expect(item['date']).toMatch(/^\d\d\/\d\d\/\d{4}$/);
  }
  expect(items.at(-1)?.['balance']).toBe('R$159.99');

  expect((await call('POST', '/auth/sign-out')).status).toBe(200);
  const anonymous = await createClient()('GET', '/wallet/balance');
  show('GET /wallet/balance', '401 {"statusCode":401,"message":"Unauthorized"}', anonymous);
  const unauthorized = { statusCode: 401, message: 'Unauthorized' };
  expect(anonymous).toMatchObject({ status: 401, body: unauthorized });
});

it('a failed sign-in is 401 without a cookie, and an address that is taken is 400', async () => {
  const call = createClient();
  const wrong = await call('POST', '/auth/sign-in', { ...person, password: 'wrong donkey staple' });
  show('POST /auth/sign-in', '400, empty (its documentation: 401)', wrong);
  expect(wrong.body).toMatchObject({ statusCode: 401, error: [expect.any(String)] });
  expect([wrong.status, wrong.setCookie]).toEqual([401, undefined]);
  const signUp = { ...person, confirmPassword: person.password };
  const taken = await call('POST', '/auth/sign-up', signUp);
  show('POST /auth/sign-up', '400 "User already exists"', taken);
  expect(taken).toMatchObject({ status: 400, body: { status: 400, reason: 'EMAIL_TAKEN' } });
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
