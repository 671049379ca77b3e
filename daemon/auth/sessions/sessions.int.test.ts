import { createHash, randomBytes, randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  startAuthServer,
  type Answer,
  type AuthServer,
} from '../../../tests/support/auth/server.ts';
import {
  AuthServiceService as rpc,
  ListAuditEventsRequest,
  ListUsersRequest,
  UpdateUserRequest,
  type TokenSet,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { pruneSessions } from './store.ts';

const password = 'correct horse battery';
let server: AuthServer;
let email: string;
let userId: string;

beforeAll(async () => {
  server = await startAuthServer();
  email = 'alice@example.com';
  userId = valueOf(await server.call(rpc.signUp, { email, password })).user!.id;
});

afterAll(() => server.stop());

function valueOf<Res>(answer: Answer<Res>): Res {
  if (!answer.ok) throw new Error(`${answer.reason}: ${answer.message}`);
  return answer.value;
}
const reasonOf = (answer: Answer<unknown>) => (answer.ok ? 'ok' : answer.reason);

async function signIn(): Promise<TokenSet> {
  return valueOf(
    await server.call(rpc.signIn, { email, password, client: 'test', deviceToken: '' }),
  ).tokens!;
}
const tryRefresh = (refreshToken: string) => server.call(rpc.refreshSession, { refreshToken });
const refresh = async (token: string) => valueOf(await tryRefresh(token)).tokens!;
const whoami = async ({ accessToken }: TokenSet) =>
  reasonOf(await server.call(rpc.getUser, { userId: '' }, `Bearer ${accessToken}`));
const signOut = ({ accessToken }: TokenSet) =>
  server.call(rpc.signOut, {}, `Bearer ${accessToken}`);

/** Moves into the past when a refresh token was used. */
const age = (token: string, seconds: number) =>
  server.database.query(
    `UPDATE refresh_tokens SET used_at = used_at - $2 * interval '1 second' WHERE token_hash = $1`,
    [createHash('sha256').update(token).digest(), seconds],
  );

describe('refreshing', () => {
  it('a refresh gives a new pair for the same session, whose end does not move', async () => {
    const first = await signIn();
    const second = await refresh(first.refreshToken);
    const third = await refresh(second.refreshToken);
    expect(new Set([first, second, third].map((tokens) => tokens.refreshToken)).size).toBe(3);
    for (const tokens of [second, third]) {
      expect(tokens.sessionId).toBe(first.sessionId);
      expect(tokens.sessionExpiresAt).toEqual(first.sessionExpiresAt);
      expect(await whoami(tokens)).toBe('ok');
    }
  });

  it('a second refresh within the grace gives the same successor (a lost reply)', async () => {
    const { refreshToken } = await signIn();
    const [one, two] = [await refresh(refreshToken), await refresh(refreshToken)];
    expect(two.refreshToken).toBe(one.refreshToken);
    await age(refreshToken, 8);
    expect((await refresh(refreshToken)).refreshToken).toBe(one.refreshToken);
    expect(await whoami(two)).toBe('ok');
  });

  it('ten concurrent refreshes return the same successor, which works', async () => {
    const { refreshToken } = await signIn();
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(refreshToken)));
    const successors = new Set(answers.map((tokens) => tokens.refreshToken));
    expect(successors.size).toBe(1);
    expect(reasonOf(await tryRefresh([...successors][0]!))).toBe('ok');
  });

  it('a refresh with an old token whose successor was used ends session and access', async () => {
    const first = await signIn();
    const second = await refresh(first.refreshToken);
    const third = await refresh(second.refreshToken);
    expect(reasonOf(await tryRefresh(first.refreshToken))).toBe('REFRESH_TOKEN_INVALID');
    for (const tokens of [first, second, third]) {
      expect(await whoami(tokens)).toBe('TOKEN_REVOKED');
      expect(reasonOf(await tryRefresh(tokens.refreshToken))).toBe('REFRESH_TOKEN_INVALID');
    }
  });

  it('a refresh with a used token after the grace ends the session too', async () => {
    const first = await signIn();
    const second = await refresh(first.refreshToken);
    await age(first.refreshToken, 11);
    expect(reasonOf(await tryRefresh(first.refreshToken))).toBe('REFRESH_TOKEN_INVALID');
    expect(await whoami(second)).toBe('TOKEN_REVOKED');
  });

  it('a reused refresh token ends its session, and leaves the user’s other sessions', async () => {
    const [stolen, other] = [await signIn(), await signIn()];
    await refresh((await refresh(stolen.refreshToken)).refreshToken);
    await tryRefresh(stolen.refreshToken);
    expect(await whoami(other)).toBe('ok');
    expect(reasonOf(await tryRefresh(other.refreshToken))).toBe('ok');
  });

  it.each([
    ['nothing', () => ''],
    ['random text', () => randomBytes(32).toString('base64url')],
    ['NUL and half a surrogate pair', () => '\0\ud83d'],
    ['a hundred thousand characters', () => 'x'.repeat(100_000)],
  ])('a refresh with %s is refused', async (_what, text) => {
    expect(reasonOf(await tryRefresh(text()))).toBe('REFRESH_TOKEN_INVALID');
  });

  it('a refresh with an access token is refused', async () => {
    const { accessToken } = await signIn();
    expect(reasonOf(await tryRefresh(accessToken))).toBe('REFRESH_TOKEN_INVALID');
  });

  it('a refresh is refused to a disabled user and after the session’s end', async () => {
    const [one, two] = [await signIn(), await signIn()];
    const { query } = server.database;
    await query('UPDATE users SET disabled = true WHERE id = $1', [userId]);
    expect(reasonOf(await tryRefresh(one.refreshToken))).toBe('REFRESH_TOKEN_INVALID');
    await query('UPDATE users SET disabled = false WHERE id = $1', [userId]);
    expect(reasonOf(await tryRefresh(one.refreshToken))).toBe('ok');
    await query('UPDATE sessions SET expires_at = now() WHERE id = $1', [two.sessionId]);
    expect(reasonOf(await tryRefresh(two.refreshToken))).toBe('REFRESH_TOKEN_INVALID');
  });

  it('an access token does not outlive its session', async () => {
    const { refreshToken, sessionId } = await signIn();
    await server.database.query(
      "UPDATE sessions SET expires_at = now() + interval '60 s' WHERE id = $1",
      [sessionId],
    );
    const { accessTokenExpiresAt } = await refresh(refreshToken);
    expect(accessTokenExpiresAt!.getTime()).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  it('a session is forgotten after its end, with its tokens, and no other', async () => {
    const [ended, signedOut, living] = [await signIn(), await signIn(), await signIn()];
    await refresh(ended.refreshToken);
    await signOut(signedOut);
    const { db, query } = server.database;
    await query('UPDATE sessions SET expires_at = now() WHERE id = $1', [ended.sessionId]);
    expect(await db.tx((tx) => pruneSessions(tx, 1_000))).toBeGreaterThanOrEqual(1);
    const ids = [ended, signedOut, living].map(({ sessionId }) => sessionId);
    expect(
      await query('SELECT id FROM sessions WHERE id = ANY($1) ORDER BY created_at', [ids]),
    ).toEqual([{ id: signedOut.sessionId }, { id: living.sessionId }]);
    const tokens = 'SELECT 1 FROM refresh_tokens WHERE session_id = $1';
    expect(await query(tokens, [ended.sessionId])).toEqual([]);
    expect(reasonOf(await tryRefresh(ended.refreshToken))).toBe('REFRESH_TOKEN_INVALID');
    expect(reasonOf(await tryRefresh(living.refreshToken))).toBe('ok');
    expect(await db.tx((tx) => pruneSessions(tx, 1_000))).toBe(0);
  });
});

describe('signing out', () => {
  it('a sign-out ends refresh and access at once, in this session alone', async () => {
    const [tokens, other] = [await signIn(), await signIn()];
    expect(await whoami(tokens)).toBe('ok');
    expect(reasonOf(await signOut(tokens))).toBe('ok');
    expect(await whoami(tokens)).toBe('TOKEN_REVOKED');
    expect(reasonOf(await tryRefresh(tokens.refreshToken))).toBe('REFRESH_TOKEN_INVALID');
    expect(await whoami(other)).toBe('ok');
  });

  it('a sign-out reaches every service through the feed', async () => {
    const since = new Date(Date.now() - 60_000);
    const tokens = await signIn();
    await signOut(tokens);
    const answer = await server.call(rpc.listRevocations, { since }, server.serviceAuthorization);
    const { revocations } = valueOf(answer);
    expect(revocations.map((revocation) => revocation.subject)).toContainEqual({
      $case: 'sessionId',
      value: tokens.sessionId,
    });
  });

  it('a sign-out concurrent with refreshes ends the session without a deadlock', async () => {
    for (let round = 0; round < 10; round += 1) {
      const first = await signIn();
      const second = await refresh(first.refreshToken);
      const answers = await Promise.all([
        tryRefresh(second.refreshToken),
        signOut(second),
        tryRefresh(first.refreshToken),
        signOut(first),
        tryRefresh(second.refreshToken),
      ]);
      const allowed = new Set(['ok', 'REFRESH_TOKEN_INVALID', 'TOKEN_REVOKED']);
      expect(answers.map(reasonOf).filter((reason) => !allowed.has(reason))).toEqual([]);
      expect(await whoami(second)).toBe('TOKEN_REVOKED');
      expect(reasonOf(await tryRefresh(second.refreshToken))).toBe('REFRESH_TOKEN_INVALID');
    }
  });

  it('a sign-out and a refresh take their locks in the same order', async () => {
    const tokens = await signIn();
    const { db } = server.database;
    const hold = { name: 'test_hold', text: 'SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE' };
    const waiting: Promise<Answer<unknown>>[] = [];
    await db.tx(async (tx) => {
      await tx.query(hold, [tokens.sessionId]);
      const begins = [() => signOut(tokens), () => tryRefresh(tokens.refreshToken)];
      for (const begin of begins) {
        waiting.push(begin());
        await untilWaiting(waiting.length);
      }
    });
    const answers = await Promise.all(waiting);
    expect(answers.map(reasonOf)).toEqual(['ok', 'REFRESH_TOKEN_INVALID']);
  });
});

/** Until so many calls wait for a lock. */
async function untilWaiting(count: number): Promise<void> {
  for (;;) {
    const rows = await server.database.query(
      `SELECT 1 FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    if (rows.length >= count) return;
  }
}

describe('stored secrets', () => {
  it('only the hashes of refresh tokens are stored', async () => {
    const first = await signIn();
    const second = await refresh(first.refreshToken);
    const rows = await server.database.query<{ text: string }>(
      `SELECT t::text AS text FROM refresh_tokens t
       UNION ALL SELECT s::text FROM sessions s UNION ALL SELECT u::text FROM users u`,
    );
    const dump = rows.map((row) => row.text).join('\n');
    for (const { refreshToken } of [first, second]) {
      const bytes = Buffer.from(refreshToken);
      const raw = Buffer.from(refreshToken, 'base64url');
      expect(raw.length).toBeGreaterThanOrEqual(32);
      for (const form of [refreshToken, bytes.toString('hex'), raw.toString('hex')]) {
        expect(dump).not.toContain(form);
      }
      expect(dump).toContain(createHash('sha256').update(refreshToken).digest('hex'));
    }
    expect(dump).not.toContain(password);
  });
});

describe('access to calls', () => {
  it('a customer reaches no call that is for staff or services', async () => {
    const bearer = `Bearer ${(await signIn()).accessToken}`;
    const answers = [
      await server.call(rpc.listRevocations, { since: undefined }, bearer),
      await server.call(rpc.resolveUsers, { userIds: [userId], emails: [] }, bearer),
      await server.call(rpc.createUser, { email: 'b@example.com', password, role: 1 }, bearer),
      await server.call(rpc.listUsers, ListUsersRequest.fromPartial({}), bearer),
      await server.call(rpc.updateUser, UpdateUserRequest.fromPartial({ userId }), bearer),
      await server.call(rpc.listAuditEvents, ListAuditEventsRequest.fromPartial({}), bearer),
    ];
    expect(new Set(answers.map(reasonOf))).toEqual(new Set(['PERMISSION_DENIED']));
  });

  it('an anonymous caller reaches only public calls', async () => {
    expect(reasonOf(await server.call(rpc.getUser, { userId: randomUUID() }))).toBe(
      'CREDENTIALS_MISSING',
    );
    expect(reasonOf(await server.call(rpc.signOut, {}))).toBe('CREDENTIALS_MISSING');
    expect(reasonOf(await server.call(rpc.listRevocations, { since: undefined }))).toBe(
      'CREDENTIALS_MISSING',
    );
    expect(reasonOf(await server.call(rpc.getJwks, {}))).toBe('ok');
  });

  it('only the public half of the signing key is published', async () => {
    const { jwksJson } = valueOf(await server.call(rpc.getJwks, {}));
    const { keys } = JSON.parse(jwksJson) as { keys: Record<string, string>[] };
    expect(keys.map((key) => Object.keys(key).sort())).toEqual([
      ['alg', 'crv', 'kid', 'kty', 'use', 'x'],
    ]);
  });
});
