import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  AuthServiceService as rpc,
  ListSessionsRequest,
  type TokenSet,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  startAuthServer,
  type Answer,
  type AuthServer,
} from '../../../tests/support/auth/server.ts';
import { pruneSessions } from './store.ts';

const password = 'correct horse battery';
let server: AuthServer;

beforeAll(async () => {
  server = await startAuthServer();
});

afterAll(() => server.stop());

function valueOf<Res>(answer: Answer<Res>): Res {
  if (!answer.ok) throw new Error(`${answer.reason}: ${answer.message}`);
  return answer.value;
}
const reasonOf = (answer: Answer<unknown>) => (answer.ok ? 'ok' : answer.reason);

async function signIn(email: string): Promise<TokenSet> {
  const request = { email, password, client: 'test', deviceToken: '' };
  return valueOf(await server.call(rpc.signIn, request)).tokens!;
}
const listIds = async ({ accessToken }: TokenSet): Promise<string[]> => {
  const request = ListSessionsRequest.create({ pageSize: 1_000 });
  const listed = await server.call(rpc.listSessions, request, `Bearer ${accessToken}`);
  return valueOf(listed).sessions.map(({ id }) => id);
};

describe('sessions of one user', { timeout: 60_000 }, () => {
  it('a user has at most fifty sessions: one more ends the oldest, as by signing out', async () => {
    const email = 'many@example.com';
    const { id: userId } = valueOf(await server.call(rpc.signUp, { email, password })).user!;
    const tokens: TokenSet[] = [];
    for (let i = 0; i < 50; i += 1) tokens.push(await signIn(email));
    const [oldest, second] = tokens as [TokenSet, TokenSet];
    expect(await listIds(oldest)).toHaveLength(50);
    const last = await signIn(email);
    const left = await listIds(last);
    expect(left).toHaveLength(50);
    expect(left).not.toContain(oldest.sessionId);
    expect(left).toContain(last.sessionId);
    const whoami = await server.call(rpc.getUser, { userId: '' }, `Bearer ${oldest.accessToken}`);
    expect(reasonOf(whoami)).toBe('TOKEN_REVOKED');
    const refreshed = await server.call(rpc.refreshSession, { refreshToken: oldest.refreshToken });
    expect(reasonOf(refreshed)).toBe('REFRESH_TOKEN_INVALID');
    expect(
      reasonOf(await server.call(rpc.refreshSession, { refreshToken: second.refreshToken })),
    ).toBe('ok');
    const lines = await server.database.query(
      `SELECT actor, target, details->>'sessionId' AS session FROM audit_log
       WHERE action = 'session.end_oldest'`,
    );
    expect(lines).toEqual([{ actor: userId, target: userId, session: oldest.sessionId }]);
  });

  it('a user has fifty sessions after concurrent sign-ins and a clock set back', async () => {
    const email = 'at-once@example.com';
    const { id: userId } = valueOf(await server.call(rpc.signUp, { email, password })).user!;
    await server.database.query(
      `INSERT INTO sessions (id, user_id, client, created_at, expires_at)
       SELECT gen_random_uuid(), $1, 'old', now() + interval '1 day' + n * interval '1 second',
         now() + interval '30 days' FROM generate_series(1, 49) n`,
      [userId],
    );
    const opened = await Promise.all(Array.from({ length: 10 }, () => signIn(email)));
    const last = await signIn(email);
    const left = await listIds(last);
    expect(left).toHaveLength(50);
    expect(left).toContain(last.sessionId);
    // Each of them ended the oldest: the one before it, as the other 49 are from ahead.
    const lines = await server.database.query<{ session: string }>(
      `SELECT details->>'sessionId' AS session FROM audit_log
       WHERE action = 'session.end_oldest' AND target = $1`,
      [userId],
    );
    const ended = lines.map(({ session }) => session);
    expect(ended.sort()).toEqual(opened.map(({ sessionId }) => sessionId).sort());
  });

  it('a session leaves no rows an hour after it ended', async () => {
    const email = 'ended@example.com';
    valueOf(await server.call(rpc.signUp, { email, password }));
    const { sessionId, accessToken } = await signIn(email);
    const living = await signIn(email);
    valueOf(await server.call(rpc.signOut, {}, `Bearer ${accessToken}`));
    const rows = () =>
      server.database.query<{ id: string }>('SELECT id FROM sessions WHERE id = ANY($1)', [
        [sessionId, living.sessionId],
      ]);
    await server.database.db.tx((tx) => pruneSessions(tx, 1_000));
    expect(await rows()).toHaveLength(2);
    await server.database.query(
      `UPDATE sessions SET revoked_at = revoked_at - interval '61 minutes' WHERE id = $1`,
      [sessionId],
    );
    await server.database.db.tx((tx) => pruneSessions(tx, 1_000));
    expect(await rows()).toEqual([{ id: living.sessionId }]);
  });
});

describe('refresh tokens of one session', { timeout: 60_000 }, () => {
  it('the 101st refresh of a session is throttled, and is accepted after the wait', async () => {
    const email = 'refresher@example.com';
    valueOf(await server.call(rpc.signUp, { email, password }));
    let { refreshToken } = await signIn(email);
    for (let i = 0; i < 100; i += 1) {
      const answer = await server.call(rpc.refreshSession, { refreshToken });
      refreshToken = valueOf(answer).tokens!.refreshToken;
    }
    const refused = await server.call(rpc.refreshSession, { refreshToken });
    expect(refused).toMatchObject({ ok: false, reason: 'THROTTLED' });
    await server.database.query(
      `UPDATE attempts SET blocked_until = clock_timestamp() WHERE count = 100`,
    );
    const later = await server.call(rpc.refreshSession, { refreshToken });
    expect(reasonOf(later)).toBe('ok');
  });
});
