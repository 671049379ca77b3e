import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  AuthServiceService as rpc,
  ListSessionsRequest,
  SessionKind,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createBrowsers, type BrowserSession } from '../../../tests/support/auth/browser.ts';
import {
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import { generateSigningKey } from '../index.ts';
import { pruneSessions } from './store.ts';

let server: AuthServer;
/** A second daemon on the same database. */
let other: AuthServer;
let admin: SignedInUser;
const people = createPeople(() => server);
const { open, exchange, bearerFor } = createBrowsers(() => server);

beforeAll(async () => {
  const signingKeyPem = generateSigningKey();
  server = await startAuthServer({ signingKeyPem });
  other = await startAuthServer({ signingKeyPem, database: server.database });
  admin = await people.create('admin');
});
afterAll(async () => {
  await other.stop();
  await server.stop();
});

const age = (sessionId: string, column: string, interval: string) =>
  server.database.query(`UPDATE sessions SET ${column} = ${column} - $2::interval WHERE id = $1`, [
    sessionId,
    interval,
  ]);

describe('the life of a browser session', () => {
  type Times = { readonly usedAtMs: number; readonly endsAtMs: number };
  const timesOf = async (sessionId: string): Promise<Times | undefined> => {
    const text = 'SELECT last_used_at, expires_at FROM sessions WHERE id = $1';
    type Row = { last_used_at: Date; expires_at: Date };
    const [row] = await server.database.query<Row>(text, [sessionId]);
    return row && { usedAtMs: row.last_used_at.getTime(), endsAtMs: row.expires_at.getTime() };
  };
  const agedSession = async (usedAgo: string, openedAgo = '0'): Promise<BrowserSession> => {
    const opened = await open((await people.create('customer')).email);
    await age(opened.sessionId, 'last_used_at', usedAgo);
    await age(opened.sessionId, 'expires_at', usedAgo);
    await age(opened.sessionId, 'created_at', openedAgo);
    return opened;
  };

  it('a browser session that was used less than 12 hours ago continues', async () => {
    const { token, sessionId } = await agedSession('11 hours 59 minutes', '2 days');
    expect(reasonOf(await exchange(token))).toBe('ok');
    await age(sessionId, 'expires_at', '11 hours 59 minutes');
    expect(reasonOf(await exchange(token))).toBe('ok');
  });

  it('a browser session that was not used for 12 hours has ended, and is not listed', async () => {
    const { token, sessionId, signedIn } = await agedSession('12 hours', '2 days');
    expect(await exchange(token)).toMatchObject({ code: 16, reason: 'TOKEN_EXPIRED' });
    const request = ListSessionsRequest.fromPartial({ userId: signedIn.user?.id ?? '' });
    const { sessions } = valueOf(await server.call(rpc.listSessions, request, admin.bearer));
    expect(sessions.map(({ id }) => id)).not.toContain(sessionId);
  });

  it('a browser session ends after 30 days, however often it is used', async () => {
    const young = await agedSession('2 minutes', '29 days 23 hours');
    expect(reasonOf(await exchange(young.token))).toBe('ok');
    const times = await timesOf(young.sessionId);
    expect(times?.endsAtMs).toBeLessThanOrEqual(Date.now() + 3_660_000);
    const old = await agedSession('0', '30 days');
    expect(reasonOf(await exchange(old.token))).toBe('TOKEN_EXPIRED');
  });

  it('an access token does not outlive its browser session', async () => {
    const { token } = await agedSession('2 minutes', '29 days 23 hours 58 minutes');
    const { tokens } = valueOf(await exchange(token));
    const endMs = tokens?.sessionExpiresAt?.getTime() ?? 0;
    expect(tokens?.accessTokenExpiresAt?.getTime()).toBe(endMs);
    expect(endMs).toBeLessThan(Date.now() + 180_000);
  });

  it('each exchange moves the end of a browser session, with one write a minute', async () => {
    const { token, sessionId } = await agedSession('2 minutes');
    const before = await timesOf(sessionId);
    await exchange(token);
    const after = await timesOf(sessionId);
    expect(after!.endsAtMs).toBeGreaterThan(before!.endsAtMs);
    expect(after!.endsAtMs - after!.usedAtMs).toBe(12 * 3_600_000);
    await Promise.all(Array.from({ length: 20 }, () => exchange(token)));
    expect(await timesOf(sessionId)).toEqual(after);
  });

  it('twenty exchanges at two daemons at once all succeed', async () => {
    const { token, sessionId } = await agedSession('2 minutes');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => exchange(token, i % 2 ? server : other)),
    );
    expect(new Set(answers.map((answer) => valueOf(answer).tokens?.sessionId))).toEqual(
      new Set([sessionId]),
    );
  });

  it('a browser session from a clock that was a day ahead is refused', async () => {
    const { token } = await agedSession('-1 day', '-1 day');
    expect(reasonOf(await exchange(token))).toBe('TOKEN_EXPIRED');
  });

  it('a browser session is deleted once it has ended', async () => {
    const { token, sessionId } = await agedSession('12 hours', '2 days');
    await server.database.db.tx((tx) => pruneSessions(tx, 1_000));
    expect(await timesOf(sessionId)).toBeUndefined();
    expect(reasonOf(await exchange(token))).toBe('TOKEN_INVALID');
  });

  it('sessions are listed with their kind', async () => {
    const ana = await people.create('customer');
    const opened = await open(ana.email);
    const bearer = await bearerFor(opened);
    const request = ListSessionsRequest.fromPartial({});
    const { sessions } = valueOf(await server.call(rpc.listSessions, request, bearer));
    expect(sessions.map(({ id, kind, current }) => ({ id, kind, current }))).toEqual([
      { id: opened.sessionId, kind: SessionKind.BROWSER, current: true },
      { id: ana.tokens.sessionId, kind: SessionKind.TOKENS, current: false },
    ]);
  });
});
