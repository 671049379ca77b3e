import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createPeople, reasonOf, type SignedInUser } from '../../tests/support/auth/people.ts';
import { startAuthServer, type AuthServer } from '../../tests/support/auth/server.ts';
import { AuthServiceService as rpc } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { resetPasswordOnHost } from './index.ts';

let server: AuthServer;
let admin: SignedInUser;
const people = createPeople(() => server);

beforeAll(async () => {
  server = await startAuthServer();
  admin = await people.create('admin');
});

afterAll(() => server.stop());

describe('password reset on the host', () => {
  it('a password reset on the host replaces the old password and ends all sessions', async () => {
    const user = await people.create('customer');
    const { db } = server.database;
    const reset = await resetPasswordOnHost(db, {
      email: ` ${user.email.toUpperCase()}`,
      password: 'another long one',
    });
    expect(reset).toMatchObject({ ok: true, value: { revokedSessions: 1, user: { id: user.id } } });
    const { refreshToken } = user.tokens;
    expect(reasonOf(await server.call(rpc.refreshSession, { refreshToken }))).toBe(
      'REFRESH_TOKEN_INVALID',
    );
    // Not done by this process: it hears of it.
    const get = () => server.call(rpc.getUser, { userId: '' }, user.bearer);
    while ((await get()).ok);
    expect(reasonOf(await get())).toBe('TOKEN_REVOKED');
    expect(reasonOf(await people.trySignIn(user.email))).toBe('CREDENTIALS_INVALID');
    expect(reasonOf(await people.trySignIn(user.email, 'another long one'))).toBe('ok');
    const events = await people.audit(admin, { target: user.id, action: 'password.reset' });
    expect(events).toMatchObject([
      { actor: 'host', result: 'ok', details: { revokedSessions: '1' } },
    ]);
  });

  it('a password reset on the host is not undone by a sign-in in flight', async () => {
    const user = await people.create('customer');
    const { hash } = await import('@node-rs/argon2');
    const cheap = await hash('correct horse battery', { memoryCost: 8_192, timeCost: 1 });
    const set = 'UPDATE users SET password_hash = $1 WHERE id = $2';
    await server.database.query(set, [cheap, user.id]);
    const hold = {
      name: 'test_hold_pw',
      text: 'UPDATE users SET password_hash = $2 WHERE id = $1',
    };
    const newHash = await hash('another long one');
    const signingIn = await server.database.db.tx(async (tx) => {
      await tx.execute(hold, [user.id, newHash]);
      const begun = people.trySignIn(user.email);
      await people.untilWaiting(1);
      return { begun };
    });
    expect(reasonOf(await signingIn.begun)).toBe('CREDENTIALS_INVALID');
    expect(reasonOf(await people.trySignIn(user.email))).toBe('CREDENTIALS_INVALID');
    expect(reasonOf(await people.trySignIn(user.email, 'another long one'))).toBe('ok');
  });

  it.each([
    ['unknown@example.com', 'another long one', 'USER_NOT_FOUND'],
    ['no address', 'another long one', 'EMAIL_INVALID'],
    ['unknown@example.com', 'short', 'PASSWORD_INVALID'],
  ])('a password reset on the host of %j to %j is refused', async (email, text, reason) => {
    const reset = await resetPasswordOnHost(server.database.db, { email, password: text });
    expect(reset).toMatchObject({ ok: false, rejection: { reason } });
  });
});
