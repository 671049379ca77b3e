import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startAuthServer, type Answer, type AuthServer } from '../../tests/support/auth/server.ts';
import { AuthServiceService as rpc, Role } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createUserOnHost } from './index.ts';

const password = 'correct horse battery';
let server: AuthServer;
let count = 0;

beforeAll(async () => {
  server = await startAuthServer();
});

afterAll(() => server.stop());

const newEmail = () => `user${(count += 1)}@example.com`;

function valueOf<Res>(answer: Answer<Res>): Res {
  if (!answer.ok) throw new Error(`${answer.reason}: ${answer.message}`);
  return answer.value;
}
const reasonOf = (answer: Answer<unknown>) => (answer.ok ? 'ok' : answer.reason);

const signUp = (email: string, text = password) =>
  server.call(rpc.signUp, { email, password: text });
const signIn = (email: string, text = password) =>
  server.call(rpc.signIn, { email, password: text, client: 'test', deviceToken: '' });

/** Signs up and in. */
async function customer() {
  const email = newEmail();
  const id = valueOf(await signUp(email)).user!.id;
  return { email, id, bearer: `Bearer ${await tokenOf(email)}` };
}

async function staff(role: 'operator' | 'admin') {
  const email = newEmail();
  const created = await createUserOnHost(server.database.db, { email, password, role });
  if (!created.ok) throw new Error(created.rejection.message);
  return { email, id: created.value.id, bearer: `Bearer ${await tokenOf(email)}` };
}

const tokenOf = async (email: string) => valueOf(await signIn(email)).tokens!.accessToken;

describe('sign-up', () => {
  it('sign-up makes the caller a customer, who can sign in then', async () => {
    const email = newEmail();
    const { user } = valueOf(await signUp(`  ${email.toUpperCase()} `));
    expect(user).toMatchObject({ email, role: Role.CUSTOMER, emailVerified: false });
    const token = await tokenOf(email);
    expect(valueOf(await server.call(rpc.validateToken, { accessToken: token }))).toMatchObject({
      userId: user?.id,
      role: Role.CUSTOMER,
    });
  });

  it('a second sign-up with the same address in another case or form is refused', async () => {
    const email = newEmail();
    await signUp(email);
    for (const again of [email, email.toUpperCase(), ` ${email}`]) {
      expect(reasonOf(await signUp(again))).toBe('EMAIL_TAKEN');
    }
  });

  it('twenty concurrent sign-ups make one account', async () => {
    const email = newEmail();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => signUp(i % 2 === 0 ? email : email.toUpperCase())),
    );
    expect(answers.map(reasonOf).sort()).toEqual([...Array<string>(19).fill('EMAIL_TAKEN'), 'ok']);
    const rows = await server.database.query('SELECT 1 FROM users WHERE lower(email) = $1', [
      email,
    ]);
    expect(rows).toHaveLength(1);
  });

  it.each([
    ['not an address', password, 'EMAIL_INVALID'],
    ['short@example.com', 'eleven char', 'PASSWORD_INVALID'],
  ])('a sign-up with address %j and password %j is refused', async (email, text, reason) => {
    expect(reasonOf(await signUp(email, text))).toBe(reason);
  });

  it('sign-up that is open by default is refused to requests that a proxy forwarded', async () => {
    const local = await startAuthServer({ isSignUpLocal: true });
    const request = { email: newEmail(), password };
    const refused = await local.callFrom('203.0.113.1', rpc.signUp, request);
    expect(refused).toMatchObject({
      ok: false,
      rejection: { reason: 'SIGN_UP_CLOSED', metadata: { setting: 'SIGN_UP' } },
    });
    expect(reasonOf(await local.call(rpc.signUp, request))).toBe('ok');
    await local.stop();
  });

  it('sign-up is refused with SIGN_UP_CLOSED where it is closed', async () => {
    const closed = await startAuthServer({ isSignUpOpen: false });
    const request = { email: newEmail(), password };
    expect(reasonOf(await closed.call(rpc.signUp, request))).toBe('SIGN_UP_CLOSED');
    await closed.stop();
  });
});

describe('sign-in', () => {
  it('sign-in answers a wrong password, an unknown address and a disabled user alike', async () => {
    const known = newEmail();
    await signUp(known);
    const disabled = newEmail();
    await signUp(disabled);
    await server.database.query('UPDATE users SET disabled = true WHERE email = $1', [disabled]);
    const answers = [
      await signIn(known, 'not the password'),
      await signIn(newEmail()),
      await signIn(disabled),
      await signIn('no address'),
      await signIn(known, ''),
      await signIn(known, 'x'.repeat(100_000)),
    ];
    expect(reasonOf(answers[0]!)).toBe('CREDENTIALS_INVALID');
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  it('sign-in takes the password in any Unicode form of its accents', async () => {
    const email = newEmail();
    await signUp(email, 'pass phrase é');
    expect(reasonOf(await signIn(email, 'pass phrase e\u0301'))).toBe('ok');
  });

  it('sign-in stores argon2id at the cost of OWASP, and replaces cheaper hashes', async () => {
    const email = newEmail();
    await signUp(email);
    const hashOf = async () => {
      const sql = 'SELECT password_hash AS hash FROM users WHERE email = $1';
      return (await server.database.query<{ hash: string }>(sql, [email]))[0]?.hash;
    };
    expect(await hashOf()).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    const { hash } = await import('@node-rs/argon2');
    const cheap = await hash(password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 });
    await server.database.query('UPDATE users SET password_hash = $1 WHERE email = $2', [
      cheap,
      email,
    ]);
    expect(reasonOf(await signIn(email))).toBe('ok');
    expect(await hashOf()).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(reasonOf(await signIn(email))).toBe('ok');
  });
});

describe('finding users', () => {
  it('a user with an unverified address is found by id, but not by address', async () => {
    const { email, id } = await customer();
    const { bearer } = await staff('operator');
    const byEmail = await server.call(rpc.resolveUsers, { userIds: [], emails: [email] }, bearer);
    expect(valueOf(byEmail).users).toEqual([]);
    const both = await server.call(rpc.resolveUsers, { userIds: [id], emails: [email] }, bearer);
    expect(valueOf(both).users.map((user) => user.id)).toEqual([id]);
  });

  it('a verified address finds its user, in any case', async () => {
    const admin = await staff('admin');
    const emails = [admin.email.toUpperCase(), 'unknown@example.com', 'no address'];
    const answer = await server.call(rpc.resolveUsers, { userIds: [], emails }, admin.bearer);
    expect(valueOf(answer).users.map((user) => user.id)).toEqual([admin.id]);
  });

  it('malformed and unknown ids are left out of the result without an error', async () => {
    const { bearer, id } = await staff('operator');
    const userIds = [randomUUID(), 'x', "' OR 1=1", id];
    const answer = await server.call(rpc.resolveUsers, { userIds, emails: [] }, bearer);
    expect(valueOf(answer).users.map((user) => user.id)).toEqual([id]);
  });

  it('a customer sees themselves; another user is answered like an absent one', async () => {
    const [one, other] = [await customer(), await customer()];
    const get = (userId: string) => server.call(rpc.getUser, { userId }, one.bearer);
    expect(valueOf(await get('')).user?.id).toBe(one.id);
    expect(valueOf(await get(one.id)).user?.id).toBe(one.id);
    const unknownId = randomUUID();
    const [foreign, unknown] = [await get(other.id), await get(unknownId)];
    expect(reasonOf(foreign)).toBe('USER_NOT_FOUND');
    const asIfSame = JSON.parse(JSON.stringify(unknown).replaceAll(unknownId, other.id)) as unknown;
    expect(foreign).toEqual(asIfSame);
  });

  it('staff can look up any user', async () => {
    const { id } = await customer();
    const { bearer } = await staff('operator');
    expect(valueOf(await server.call(rpc.getUser, { userId: id }, bearer)).user?.id).toBe(id);
    expect(reasonOf(await server.call(rpc.getUser, { userId: randomUUID() }, bearer))).toBe(
      'USER_NOT_FOUND',
    );
  });
});

describe('creating users', () => {
  const create = (role: Role, bearer: string, email = newEmail()) =>
    server.call(rpc.createUser, { email, password, role }, bearer);

  it('an operator creates only customers, an admin any user, a customer no user', async () => {
    const bearers = [(await customer()).bearer, (await staff('operator')).bearer];
    bearers.push((await staff('admin')).bearer);
    const table: string[][] = [];
    for (const bearer of bearers) {
      const row: string[] = [];
      for (const role of [Role.CUSTOMER, Role.OPERATOR, Role.ADMIN]) {
        row.push(reasonOf(await create(role, bearer)));
      }
      table.push(row);
    }
    const denied = 'PERMISSION_DENIED';
    expect(table).toEqual([
      [denied, denied, denied],
      ['ok', denied, denied],
      ['ok', 'ok', 'ok'],
    ]);
  });

  it('creating a user with a missing or unknown role is refused', async () => {
    const { bearer } = await staff('admin');
    for (const role of [Role.UNSPECIFIED, 99 as Role]) {
      expect(reasonOf(await create(role, bearer))).toBe('INVALID_ARGUMENT');
    }
  });

  it('a user whom staff created has a verified address, and can sign in', async () => {
    const { bearer } = await staff('operator');
    const email = newEmail();
    const { user } = valueOf(await create(Role.CUSTOMER, bearer, email));
    expect(user?.emailVerified).toBe(true);
    expect(reasonOf(await signIn(email))).toBe('ok');
  });
});
