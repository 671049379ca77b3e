import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { roleOfWireNumber } from '../../../core/roles.ts';
import {
  bearerOf,
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import {
  AuthServiceService as rpc,
  Role,
  type ListUsersRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';

let server: AuthServer;
let admin: SignedInUser;
const people = createPeople(() => server);

beforeAll(async () => {
  server = await startAuthServer();
  admin = await people.create('admin');
});

afterAll(() => server.stop());

const list = (by: SignedInUser, filter: Partial<ListUsersRequest> = {}) => {
  const all = { pageSize: 0, pageToken: '', role: Role.UNSPECIFIED, email: '' };
  return server.call(rpc.listUsers, { ...all, ...filter }, by.bearer);
};
const setRole = (by: SignedInUser, user: SignedInUser, role: Role) =>
  server.call(rpc.updateUser, { userId: user.id, role }, by.bearer);
const setDisabled = (by: SignedInUser, user: SignedInUser, disabled: boolean) =>
  server.call(rpc.updateUser, { userId: user.id, disabled }, by.bearer);
const verdict = async (accessToken: string) => {
  const answer = await server.call(rpc.validateToken, { accessToken });
  return answer.ok ? roleOfWireNumber(answer.value.role) : answer.reason;
};
const roleOf = async (user: SignedInUser) => {
  const sql = 'SELECT role FROM users WHERE id = $1';
  return (await server.database.query<{ role: string }>(sql, [user.id]))[0]?.role;
};
const refresh = (user: SignedInUser) =>
  server.call(rpc.refreshSession, { refreshToken: user.tokens.refreshToken });

describe('listing users', () => {
  it('users are listed in pages, the newest first, each once', async () => {
    for (const role of ['customer', 'operator', 'customer'] as const) await people.create(role);
    const seen: string[] = [];
    for (let pageToken = ''; ;) {
      const page = valueOf(await list(admin, { pageSize: 2, pageToken }));
      expect(page.users.length).toBeLessThanOrEqual(2);
      seen.push(...page.users.map((user) => user.id));
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    const rows = await server.database.query<{ id: string }>(
      'SELECT id FROM users ORDER BY created_at DESC, id DESC',
    );
    expect(seen).toEqual(rows.map((row) => row.id));
  });

  it('users can be found by role, and by an address that was never verified', async () => {
    const operators = valueOf(await list(admin, { role: Role.OPERATOR })).users;
    expect(new Set(operators.map((user) => user.role))).toEqual(new Set([Role.OPERATOR]));
    const email = people.newEmail();
    await server.call(rpc.signUp, { email, password: 'correct horse battery' });
    const found = valueOf(await list(admin, { email: email.toUpperCase() })).users;
    expect(found).toMatchObject([{ email, emailVerified: false }]);
    expect(valueOf(await list(admin, { email, role: Role.ADMIN })).users).toEqual([]);
    expect(valueOf(await list(admin, { email: 'unknown@example.com' })).users).toEqual([]);
  });

  it.each([
    ['a size below 0', { pageSize: -1 }, 'INVALID_ARGUMENT'],
    ['a role that there is not', { role: 99 as Role }, 'INVALID_ARGUMENT'],
    ['a text that is no address', { email: "' OR 1=1" }, 'EMAIL_INVALID'],
    ['a made-up page token', { pageToken: 'bm9uZQ' }, 'PAGE_TOKEN_INVALID'],
  ])('the list of users refuses %s', async (_what, filter, reason) => {
    expect(reasonOf(await list(admin, filter))).toBe(reason);
  });

  it('the list of users refuses a page token of another query', async () => {
    const { nextPageToken: pageToken } = valueOf(await list(admin, { pageSize: 1 }));
    expect(reasonOf(await list(admin, { pageToken, role: Role.ADMIN }))).toBe('PAGE_TOKEN_INVALID');
  });

  it('staff can list users, and customers cannot', async () => {
    expect(reasonOf(await list(await people.create('operator')))).toBe('ok');
    expect(reasonOf(await list(await people.create('customer')))).toBe('PERMISSION_DENIED');
  });
});

describe('a new role', () => {
  it('a new role voids the access tokens at once, and a refresh gives the new role', async () => {
    const user = await people.create('operator');
    expect(await verdict(user.tokens.accessToken)).toBe('operator');
    expect(valueOf(await setRole(admin, user, Role.CUSTOMER)).user?.role).toBe(Role.CUSTOMER);
    expect(await verdict(user.tokens.accessToken)).toBe('TOKEN_REVOKED');
    const { tokens } = valueOf(await refresh(user));
    expect(await verdict(tokens!.accessToken)).toBe('customer');
  });

  it('a new role is published in the feed', async () => {
    const user = await people.create('operator');
    await setRole(admin, user, Role.CUSTOMER);
    const request = { since: undefined };
    const feed = valueOf(
      await server.call(rpc.listRevocations, request, server.serviceAuthorization),
    );
    expect(feed.revocations.map(({ subject }) => subject)).toContainEqual({
      $case: 'userId',
      value: user.id,
    });
  });

  it('an unchanged role changes nothing, and ends no session', async () => {
    const user = await people.create('operator');
    expect(reasonOf(await setRole(admin, user, Role.OPERATOR))).toBe('ok');
    expect(await verdict(user.tokens.accessToken)).toBe('operator');
  });

  it('a new role is given by admins only, to existing users, and must be known', async () => {
    const [operator, other] = [await people.create('operator'), await people.create('customer')];
    expect(reasonOf(await setRole(operator, other, Role.ADMIN))).toBe('PERMISSION_DENIED');
    expect(reasonOf(await setRole(other, other, Role.ADMIN))).toBe('PERMISSION_DENIED');
    const unknown = { ...other, id: randomUUID() };
    expect(reasonOf(await setRole(admin, unknown, Role.ADMIN))).toBe('USER_NOT_FOUND');
    for (const role of [Role.UNSPECIFIED, 99 as Role]) {
      expect(reasonOf(await setRole(admin, other, role))).toBe('INVALID_ARGUMENT');
    }
    const nothing = { userId: other.id };
    expect(reasonOf(await server.call(rpc.updateUser, nothing, admin.bearer))).toBe(
      'INVALID_ARGUMENT',
    );
    expect(await roleOf(other)).toBe('customer');
  });
});

describe('disabling users', () => {
  it('disabling a user ends sessions and access at once, and enabling restores none', async () => {
    const user = await people.create('customer');
    expect(valueOf(await setDisabled(admin, user, true)).user?.disabled).toBe(true);
    expect(await verdict(user.tokens.accessToken)).toBe('TOKEN_REVOKED');
    expect(reasonOf(await refresh(user))).toBe('REFRESH_TOKEN_INVALID');
    expect(reasonOf(await people.trySignIn(user.email))).toBe('CREDENTIALS_INVALID');
    await setDisabled(admin, user, false);
    expect(reasonOf(await refresh(user))).toBe('REFRESH_TOKEN_INVALID');
    const tokens = await people.signIn(user.email);
    expect(await verdict(tokens.accessToken)).toBe('customer');
  });
});

describe('the last admin', () => {
  it('the last admin stays an admin', async () => {
    for (const change of [setRole(admin, admin, Role.OPERATOR), setDisabled(admin, admin, true)]) {
      expect(await change).toMatchObject({ reason: 'LAST_ADMIN', metadata: { userId: admin.id } });
    }
    expect(await verdict(admin.tokens.accessToken)).toBe('admin');
  });

  it('the last enabled admin stays an admin, even if there is a disabled one', async () => {
    const other = await people.create('admin');
    await setDisabled(admin, other, true);
    expect(reasonOf(await setRole(admin, admin, Role.CUSTOMER))).toBe('LAST_ADMIN');
  });

  it('of two admins who demote each other at once one stays', async () => {
    for (let round = 0; round < 5; round += 1) {
      const other = await people.create('admin');
      const self = { ...admin, bearer: bearerOf(await people.signIn(admin.email)) };
      const answers = await Promise.all([
        setRole(self, other, Role.OPERATOR),
        setRole(other, self, Role.OPERATOR),
      ]);
      expect(answers.filter((answer) => answer.ok)).toHaveLength(1);
      const winner = answers[0].ok ? self : other;
      const restored = { ...winner, bearer: bearerOf(await people.signIn(winner.email)) };
      await setRole(restored, admin, Role.ADMIN);
      admin = { ...admin, bearer: bearerOf(await people.signIn(admin.email)) };
      await setRole(admin, other, Role.OPERATOR);
    }
  });

  it('a demotion that waited for the caller’s own demotion is refused', async () => {
    const [one, two] = [await people.create('admin'), await people.create('admin')];
    const hold = { name: 'test_hold_user', text: 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE' };
    const waiting: ReturnType<typeof setRole>[] = [];
    await server.database.db.tx(async (tx) => {
      await tx.query(hold, [admin.id < one.id ? admin.id : one.id]);
      for (const [by, user] of [
        [one, two],
        [two, one],
      ] as const) {
        waiting.push(setRole(by, user, Role.CUSTOMER));
        await people.untilWaiting(waiting.length);
      }
    });
    const reasons = (await Promise.all(waiting)).map(reasonOf);
    expect(reasons.sort()).toEqual(['PERMISSION_DENIED', 'ok']);
  });
});

describe('demotion during other calls', () => {
  /** A token that is believed must tell the role that its user has. */
  async function expectNoStaleToken(user: SignedInUser, accessToken: string): Promise<void> {
    const said = await verdict(accessToken);
    expect(['TOKEN_REVOKED', await roleOf(user)]).toContain(said);
  }

  it('a demotion during a refresh leaves no token with the old role', async () => {
    const user = await people.create('operator');
    const hold = { name: 'test_hold_s', text: 'SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE' };
    let isDemoted = false;
    const { refreshing, demoting } = await server.database.db.tx(async (tx) => {
      await tx.query(hold, [user.tokens.sessionId]);
      const begun = refresh(user);
      await people.untilWaiting(1);
      const change = setRole(admin, user, Role.CUSTOMER).finally(() => (isDemoted = true));
      await people.untilWaiting(2, () => isDemoted);
      return { refreshing: begun, demoting: change };
    });
    valueOf(await demoting);
    await expectNoStaleToken(user, valueOf(await refreshing).tokens!.accessToken);
    expect(await roleOf(user)).toBe('customer');
  });

  it('a demotion during a sign-in leaves no token with the old role', async () => {
    const user = await people.create('operator');
    // Others before it keep the sign-in at its password while the role changes.
    const before = Array.from({ length: 6 }, () => people.trySignIn(user.email));
    const begun = people.trySignIn(user.email);
    valueOf(await setRole(admin, user, Role.CUSTOMER));
    for (const answer of await Promise.all([...before, begun])) {
      await expectNoStaleToken(user, valueOf(answer).tokens!.accessToken);
    }
    expect(await roleOf(user)).toBe('customer');
  });

  it('a demotion during many refreshes and sign-ins leaves no stale token', async () => {
    const user = await people.create('operator');
    const tokens: string[] = [];
    let latest = user.tokens;
    const refreshing = (async () => {
      for (let i = 0; i < 60; i += 1) {
        const request = { refreshToken: latest.refreshToken };
        latest = valueOf(await server.call(rpc.refreshSession, request)).tokens!;
        tokens.push(latest.accessToken);
      }
    })();
    for (const role of [Role.CUSTOMER, Role.OPERATOR, Role.CUSTOMER, Role.OPERATOR] as const) {
      const { accessToken } = await people.signIn(user.email);
      tokens.push(accessToken);
      valueOf(await setRole(admin, user, role));
    }
    await refreshing;
    for (const token of tokens) await expectNoStaleToken(user, token);
  });
});
