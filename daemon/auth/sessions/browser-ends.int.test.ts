import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  AuthServiceService as rpc,
  ListUsersRequest,
  Role,
  UpdateUserRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createBrowsers, type BrowserSession } from '../../../tests/support/auth/browser.ts';
import {
  bearerOf,
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import {
  startAuthServer,
  type Answer,
  type AuthServer,
} from '../../../tests/support/auth/server.ts';
import { appCode, password } from '../../../tests/support/auth/totp.ts';
import { endCredentials } from '../recovery/credentials.ts';
import { generateSigningKey } from '../index.ts';
import { lockUser } from '../users/store.ts';

let server: AuthServer;
/** A second daemon on the same database, which requires a second factor of staff. */
let other: AuthServer;
let admin: SignedInUser;
const people = createPeople(() => server);
const { open, exchange, bearerFor } = createBrowsers(() => server);

beforeAll(async () => {
  const signingKeyPem = generateSigningKey();
  server = await startAuthServer({ signingKeyPem });
  const { database } = server;
  other = await startAuthServer({ signingKeyPem, database, isStaffTotpRequired: true });
  admin = await people.create('admin');
});
afterAll(async () => {
  await other.stop();
  await server.stop();
});

const get = async (bearer: string, on = server) =>
  reasonOf(await on.call(rpc.getUser, { userId: '' }, bearer));
const update = (userId: string, change: Partial<UpdateUserRequest>) =>
  server.call(rpc.updateUser, UpdateUserRequest.fromPartial({ userId, ...change }), admin.bearer);

type Stage = {
  readonly user: SignedInUser;
  readonly session: BrowserSession;
  /** From an exchange in that session. */
  readonly bearer: string;
};
type End = (stage: Stage) => Promise<Answer<unknown>>;

/** Each ends a browser session; `user` has a second session with tokens. */
const ends: Readonly<Record<string, End>> = {
  'its own sign-out': ({ bearer }) => server.call(rpc.signOut, {}, bearer),
  'RevokeSession by its owner': ({ user, session }) =>
    server.call(
      rpc.revokeSession,
      { target: { $case: 'sessionId', value: session.sessionId } },
      user.bearer,
    ),
  'RevokeSession by an admin': ({ session }) =>
    server.call(
      rpc.revokeSession,
      { target: { $case: 'sessionId', value: session.sessionId } },
      admin.bearer,
    ),
  'RevokeSession of all sessions of its user': ({ user }) =>
    server.call(
      rpc.revokeSession,
      { target: { $case: 'allOfUserId', value: user.id } },
      admin.bearer,
    ),
  RevokeAllCredentials: ({ user }) =>
    server.call(rpc.revokeAllCredentials, { userId: '' }, user.bearer),
  'a new password that ends other sessions': ({ user }) => {
    const passwords = { oldPassword: password, newPassword: 'another horse battery' };
    const request = { ...passwords, revokeOtherSessions: true, revokeApiKeys: false };
    return server.call(rpc.changePassword, request, user.bearer);
  },
  'disabling of its user': ({ user }) => update(user.id, { disabled: true }),
  'disabling of its user, who is enabled again': async ({ user }) => {
    valueOf(await update(user.id, { disabled: true }));
    return update(user.id, { disabled: false });
  },
  'enrolment of a second factor in another session': async ({ user }) => {
    const { secret } = valueOf(await server.call(rpc.beginTotp, { password }, user.bearer));
    return server.call(rpc.enableTotp, { code: appCode(secret) }, user.bearer);
  },
};

describe('the end of a browser session', () => {
  it.each(Object.entries(ends))(
    '%s ends a browser session: its token and its access tokens are void',
    async (_what, end) => {
      const user = await people.create('customer');
      const session = await open(user.email);
      const bearer = await bearerFor(session);
      expect(await get(bearer)).toBe('ok');
      valueOf(await end({ user, session, bearer }));
      expect(await get(bearer)).toBe('TOKEN_REVOKED');
      for (const on of [server, other]) {
        const refused = await exchange(session.token, on);
        const metadata = { field: 'browser_token' };
        expect(refused).toMatchObject({ code: 16, reason: 'TOKEN_REVOKED', metadata });
      }
      await expect
        .poll(() => get(bearer, other), { timeout: 10_000, interval: 100 })
        .toBe('TOKEN_REVOKED');
    },
  );

  it('a sign-out in a browser session ends that session only', async () => {
    const user = await people.create('customer');
    const [one, two] = [await open(user.email), await open(user.email)];
    valueOf(await server.call(rpc.signOut, {}, await bearerFor(one)));
    expect(reasonOf(await exchange(one.token))).toBe('TOKEN_REVOKED');
    expect(reasonOf(await exchange(two.token))).toBe('ok');
    expect(await get(user.bearer)).toBe('ok');
    const [line] = await people.audit(admin, { target: user.id, action: 'sign_out' });
    expect(line?.details).toMatchObject({ sessionId: one.sessionId });
  });

  it('a browser session counts for the limit of sessions, and ends as the oldest', async () => {
    const user = await people.create('customer');
    const { token } = await open(user.email);
    await server.database.query(
      `INSERT INTO sessions (id, user_id, client, created_at, expires_at)
       SELECT gen_random_uuid(), $1, 'filler', clock_timestamp(), now() + interval '1 day'
       FROM generate_series(1, 48)`,
      [user.id],
    );
    expect(reasonOf(await exchange(token))).toBe('ok');
    await server.database.query(
      `UPDATE sessions SET created_at = created_at - interval '1 hour'
       WHERE user_id = $1 AND client <> 'filler'`,
      [user.id],
    );
    await people.signIn(user.email);
    await people.signIn(user.email);
    expect(reasonOf(await exchange(token))).toBe('TOKEN_REVOKED');
  });

  it('after a change of role a browser session gives tokens of the new role only', async () => {
    const user = await people.create('operator');
    const session = await open(user.email);
    const before = await bearerFor(session);
    valueOf(await update(user.id, { role: Role.CUSTOMER }));
    expect(await get(before)).toBe('TOKEN_REVOKED');
    const exchanged = valueOf(await exchange(session.token));
    expect(exchanged.user?.role).toBe(Role.CUSTOMER);
    const page = ListUsersRequest.fromPartial({ pageSize: 1 });
    const listed = await server.call(rpc.listUsers, page, bearerOf(exchanged.tokens!));
    expect(reasonOf(listed)).toBe('PERMISSION_DENIED');
  });

  it('an exchange that waits while all credentials are ended gives no access token', async () => {
    const user = await people.create('customer');
    const { token } = await open(user.email);
    const waiting: ReturnType<typeof exchange>[] = [];
    await server.database.db.tx(async (tx) => {
      const locked = await lockUser(tx, user.id);
      if (!locked) throw new Error('no such user');
      waiting.push(exchange(token));
      await people.untilWaiting(1);
      await endCredentials(tx, locked, { keepApiKeys: false });
    });
    expect((await Promise.all(waiting)).map(reasonOf)).toEqual(['TOKEN_REVOKED']);
  });
});

describe('a browser session and the second factor', () => {
  it('with STAFF_TOTP=required, an exchange for staff without one gives a token to enrol', async () => {
    const operator = await people.create('operator');
    const { token } = await open(operator.email);
    const exchanged = valueOf(await exchange(token, other));
    expect(exchanged.totpEnrolmentRequired).toBe(true);
    const bearer = bearerOf(exchanged.tokens!);
    const page = ListUsersRequest.fromPartial({ pageSize: 1 });
    const list = () => other.call(rpc.listUsers, page, bearer);
    await expect
      .poll(async () => reasonOf(await list()), { timeout: 10_000, interval: 100 })
      .toBe('TOTP_ENROLMENT_REQUIRED');
    const { secret } = valueOf(await other.call(rpc.beginTotp, { password }, bearer));
    valueOf(await other.call(rpc.enableTotp, { code: appCode(secret) }, bearer));
    const enrolled = valueOf(await exchange(token, other));
    expect(enrolled).toMatchObject({ totpEnrolmentRequired: false, user: { totpEnabled: true } });
    const listed = await other.call(rpc.listUsers, page, bearerOf(enrolled.tokens!));
    expect(reasonOf(listed)).toBe('ok');
  });
});
