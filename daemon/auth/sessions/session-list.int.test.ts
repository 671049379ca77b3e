import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

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
import {
  AuthServiceService as rpc,
  type TokenSet,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';

let server: AuthServer;
let admin: SignedInUser;
const people = createPeople(() => server);

beforeAll(async () => {
  server = await startAuthServer();
  admin = await people.create('admin');
});

afterAll(() => server.stop());

const list = (bearer: string, userId = '', page = { pageSize: 0, pageToken: '' }) =>
  server.call(rpc.listSessions, { userId, ...page }, bearer);
const end = (bearer: string, value: string) =>
  server.call(rpc.revokeSession, { target: { $case: 'sessionId', value } }, bearer);
const endAll = (bearer: string, value: string) =>
  server.call(rpc.revokeSession, { target: { $case: 'allOfUserId', value } }, bearer);
const whoami = async (tokens: TokenSet) =>
  reasonOf(await server.call(rpc.getUser, { userId: '' }, bearerOf(tokens)));
const refresh = async ({ refreshToken }: TokenSet) =>
  reasonOf(await server.call(rpc.refreshSession, { refreshToken }));
const idsOf = (answer: Answer<{ sessions: { id: string }[] }>) =>
  valueOf(answer).sessions.map(({ id }) => id);

/** The same refusal, whatever id it names. */
const withoutId = (answer: Answer<unknown>, id: string) =>
  JSON.parse(JSON.stringify(answer).replaceAll(id, 'ID')) as unknown;

describe('listing sessions', () => {
  it('a user lists their own live sessions, newest first, and sees the current one', async () => {
    const user = await people.create('customer');
    const [second, third] = [await people.signIn(user.email), await people.signIn(user.email)];
    const fourth = await people.signIn(user.email);
    await server.call(rpc.signOut, {}, bearerOf(fourth));
    await server.database.query('UPDATE sessions SET expires_at = now() WHERE id = $1', [
      third.sessionId,
    ]);
    const { sessions } = valueOf(await list(bearerOf(second)));
    expect(sessions.map(({ id, current }) => [id, current])).toEqual([
      [second.sessionId, true],
      [user.tokens.sessionId, false],
    ]);
    expect(sessions[0]).toMatchObject({ userId: user.id, client: 'test' });
  });

  it('sessions are listed in pages, each session once', async () => {
    const user = await people.create('customer');
    const expected = [user.tokens.sessionId];
    for (let i = 0; i < 4; i += 1) expected.unshift((await people.signIn(user.email)).sessionId);
    const seen: string[] = [];
    for (let pageToken = ''; ;) {
      const answer = await list(user.bearer, user.id, { pageSize: 2, pageToken });
      seen.push(...idsOf(answer));
      pageToken = valueOf(answer).nextPageToken;
      if (pageToken === '') break;
      expect(reasonOf(await list(admin.bearer, admin.id, { pageSize: 2, pageToken }))).toBe(
        'PAGE_TOKEN_INVALID',
      );
    }
    expect(seen).toEqual(expected);
  });

  it('listing sessions of another user is for admins; for others the user is absent', async () => {
    const [user, operator] = [await people.create('customer'), await people.create('operator')];
    expect(idsOf(await list(admin.bearer, user.id))).toEqual([user.tokens.sessionId]);
    const unknownId = randomUUID();
    for (const { bearer } of [operator, await people.create('customer')]) {
      const foreign = await list(bearer, user.id);
      expect(reasonOf(foreign)).toBe('USER_NOT_FOUND');
      expect(withoutId(foreign, user.id)).toEqual(
        withoutId(await list(bearer, unknownId), unknownId),
      );
    }
    expect(reasonOf(await list(admin.bearer, unknownId))).toBe('USER_NOT_FOUND');
    expect(reasonOf(await list(admin.bearer, 'x'))).toBe('INVALID_ARGUMENT');
  });
});

describe('ending a session', () => {
  it('ending a session ends its access and its refresh at once, and no other session', async () => {
    const user = await people.create('customer');
    const other = await people.signIn(user.email);
    expect(valueOf(await end(user.bearer, other.sessionId)).revoked).toBe(1);
    expect(await whoami(other)).toBe('TOKEN_REVOKED');
    expect(await refresh(other)).toBe('REFRESH_TOKEN_INVALID');
    expect(await whoami(user.tokens)).toBe('ok');
    expect(valueOf(await end(user.bearer, other.sessionId)).revoked).toBe(0);
  });

  it('ending a session of another user is for admins; for others it does not exist', async () => {
    const [user, operator] = [await people.create('customer'), await people.create('operator')];
    const { sessionId } = user.tokens;
    const nothing = randomUUID();
    for (const { bearer } of [operator, await people.create('customer')]) {
      const foreign = await end(bearer, sessionId);
      expect(reasonOf(foreign)).toBe('SESSION_NOT_FOUND');
      expect(withoutId(foreign, sessionId)).toEqual(withoutId(await end(bearer, nothing), nothing));
    }
    expect(await whoami(user.tokens)).toBe('ok');
    expect(reasonOf(await end(admin.bearer, 'x'))).toBe('SESSION_NOT_FOUND');
    expect(reasonOf(await end(admin.bearer, sessionId))).toBe('ok');
    expect(await whoami(user.tokens)).toBe('TOKEN_REVOKED');
  });

  it('ending a session requires its id', async () => {
    const answer = await server.call(rpc.revokeSession, { target: undefined }, admin.bearer);
    expect(reasonOf(answer)).toBe('INVALID_ARGUMENT');
  });
});

describe('ending all sessions', () => {
  it('ending all sessions ends the current one too, and the next sign-in works', async () => {
    const user = await people.create('customer');
    const other = await people.signIn(user.email);
    expect(valueOf(await endAll(user.bearer, user.id)).revoked).toBe(2);
    for (const tokens of [user.tokens, other]) {
      expect(await whoami(tokens)).toBe('TOKEN_REVOKED');
      expect(await refresh(tokens)).toBe('REFRESH_TOKEN_INVALID');
    }
    expect(await whoami(await people.signIn(user.email))).toBe('ok');
  });

  it('ending all sessions of another user is for admins', async () => {
    const user = await people.create('customer');
    const [operator, customer] = [await people.create('operator'), await people.create('customer')];
    for (const { bearer } of [operator, customer]) {
      expect(reasonOf(await endAll(bearer, user.id))).toBe('USER_NOT_FOUND');
    }
    expect(await whoami(user.tokens)).toBe('ok');
    expect(valueOf(await endAll(admin.bearer, user.id)).revoked).toBe(1);
    expect(await whoami(user.tokens)).toBe('TOKEN_REVOKED');
    expect(reasonOf(await endAll(admin.bearer, randomUUID()))).toBe('USER_NOT_FOUND');
  });

  it('ending all sessions during refreshes and sign-ins leaves no earlier session', async () => {
    const user = await people.create('customer');
    const old = [user.tokens, await people.signIn(user.email), await people.signIn(user.email)];
    const answers = await Promise.all([
      ...old.map(({ refreshToken }) => server.call(rpc.refreshSession, { refreshToken })),
      endAll(admin.bearer, user.id),
      endAll(admin.bearer, user.id),
      people.trySignIn(user.email),
    ]);
    const allowed = new Set(['ok', 'REFRESH_TOKEN_INVALID']);
    expect(answers.map(reasonOf).filter((reason) => !allowed.has(reason))).toEqual([]);
    expect(valueOf(await endAll(admin.bearer, user.id)).revoked).toBeLessThanOrEqual(1);
    for (const tokens of old) expect(await whoami(tokens)).toBe('TOKEN_REVOKED');
    for (const answer of answers) {
      const tokens = answer.ok && 'tokens' in answer.value ? answer.value.tokens : undefined;
      if (tokens) expect(await whoami(tokens)).toBe('TOKEN_REVOKED');
    }
  });
});
