import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  startAuthServer,
  type Answer,
  type AuthServer,
} from '../../../tests/support/auth/server.ts';
import {
  AuthServiceService as rpc,
  type TokenSet,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';

const password = 'correct horse battery';
const next = 'another long password';
let server: AuthServer;
let count = 0;

beforeAll(async () => {
  server = await startAuthServer();
});

afterAll(() => server.stop());

const reasonOf = (answer: Answer<unknown>) => (answer.ok ? 'ok' : answer.reason);

async function customer(): Promise<string> {
  const email = `user${(count += 1)}@example.com`;
  expect(reasonOf(await server.call(rpc.signUp, { email, password }))).toBe('ok');
  return email;
}

const trySignIn = (email: string, text: string) =>
  server.call(rpc.signIn, { email, password: text, client: 'test', deviceToken: '' });

async function signIn(email: string): Promise<TokenSet> {
  const answer = await trySignIn(email, password);
  if (!answer.ok || !answer.value.tokens) throw new Error('not signed in');
  return answer.value.tokens;
}

const change = (
  tokens: TokenSet,
  oldPassword: string,
  newPassword: string,
  revokeOtherSessions = false,
) =>
  server.call(
    rpc.changePassword,
    { oldPassword, newPassword, revokeOtherSessions, revokeApiKeys: false },
    `Bearer ${tokens.accessToken}`,
  );
const whoami = async (tokens: TokenSet) =>
  reasonOf(await server.call(rpc.getUser, { userId: '' }, `Bearer ${tokens.accessToken}`));
const refresh = async ({ refreshToken }: TokenSet) =>
  reasonOf(await server.call(rpc.refreshSession, { refreshToken }));

describe('changing the password', () => {
  it('a change of password replaces the old one, and leaves sessions alone', async () => {
    const email = await customer();
    const [here, there] = [await signIn(email), await signIn(email)];
    expect(reasonOf(await change(here, password, next))).toBe('ok');
    expect(reasonOf(await trySignIn(email, password))).toBe('CREDENTIALS_INVALID');
    expect(reasonOf(await trySignIn(email, next))).toBe('ok');
    for (const tokens of [here, there]) expect(await whoami(tokens)).toBe('ok');
  });

  it('a change of password ends other sessions on request, at once and in the feed', async () => {
    const email = await customer();
    const stranger = await signIn(await customer());
    const [here, there, gone] = [await signIn(email), await signIn(email), await signIn(email)];
    expect(reasonOf(await change(here, password, next, true))).toBe('ok');
    for (const tokens of [there, gone]) {
      expect(await whoami(tokens)).toBe('TOKEN_REVOKED');
      expect(await refresh(tokens)).toBe('REFRESH_TOKEN_INVALID');
    }
    for (const tokens of [here, stranger]) {
      expect(await whoami(tokens)).toBe('ok');
      expect(await refresh(tokens)).toBe('ok');
    }
    const rows = await server.database.query<{ subject_id: string }>(
      `SELECT subject_id FROM revocations WHERE kind = 'session'`,
    );
    const reported = new Set(rows.map((row) => row.subject_id));
    expect(reported.has(there.sessionId) && reported.has(gone.sessionId)).toBe(true);
    expect(reported.has(here.sessionId)).toBe(false);
  });

  it('a change of password refuses a short or unchanged one, and a wrong old one', async () => {
    const tokens = await signIn(await customer());
    const answers = [
      await change(tokens, password, 'short'),
      await change(tokens, password, password),
      await change(tokens, 'not the old one', next),
    ];
    expect(
      answers.map((answer) => (answer.ok ? 'ok' : [answer.reason, answer.metadata['field']])),
    ).toEqual([
      ['PASSWORD_INVALID', 'new_password'],
      ['PASSWORD_INVALID', 'new_password'],
      ['CREDENTIALS_INVALID', 'old_password'],
    ]);
    expect(reasonOf(await change(tokens, password, next))).toBe('ok');
  });

  it('a session may guess the password five times; guesses elsewhere do not count', async () => {
    const email = await customer();
    const [stolen, own] = [await signIn(email), await signIn(email)];
    for (let i = 0; i < 5; i += 1) await trySignIn(email, `guess ${i}`);
    for (let i = 0; i < 5; i += 1) {
      expect(reasonOf(await change(stolen, `guess ${i}`, next))).toBe('CREDENTIALS_INVALID');
    }
    await server.database.query(
      `UPDATE attempts SET blocked_until = clock_timestamp() + interval '4 seconds' WHERE count = 5`,
    );
    const request = {
      oldPassword: password,
      newPassword: next,
      revokeOtherSessions: false,
      revokeApiKeys: false,
    };
    const bearer = `Bearer ${stolen.accessToken}`;
    const refused = await server.call(rpc.changePassword, request, bearer, 2_000);
    expect(reasonOf(refused)).toBe('THROTTLED');
    expect(reasonOf(await change(own, password, next))).toBe('ok');
  });

  it('of two concurrent changes from the same old password one succeeds', async () => {
    const email = await customer();
    const [one, two] = [await signIn(email), await signIn(email)];
    const answers = await Promise.all([
      change(one, password, 'the first new password'),
      change(two, password, 'the second new password'),
    ]);
    expect(answers.map(reasonOf).sort()).toEqual(['CREDENTIALS_INVALID', 'ok']);
  });

  it('a change of password needs a signed-in user', async () => {
    const request = {
      oldPassword: password,
      newPassword: next,
      revokeOtherSessions: false,
      revokeApiKeys: false,
    };
    expect(reasonOf(await server.call(rpc.changePassword, request))).toBe('CREDENTIALS_MISSING');
  });
});
