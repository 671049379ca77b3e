import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../tests/support/auth/people.ts';
import { startAuthServer, type AuthServer } from '../../tests/support/auth/server.ts';
import {
  AuthServiceService as rpc,
  ListAuditEventsRequest,
  ListUsersRequest,
  Role,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';

let server: AuthServer;
let admin: SignedInUser;
const people = createPeople(() => server);

beforeAll(async () => {
  server = await startAuthServer();
  admin = await people.create('admin');
});

afterAll(() => server.stop());

const list = (filter: Partial<ListAuditEventsRequest>, by = admin) =>
  server.call(rpc.listAuditEvents, ListAuditEventsRequest.fromPartial(filter), by.bearer);
const linesOf = async (filter: Partial<ListAuditEventsRequest>) =>
  (await people.audit(admin, filter)).map(({ actor, action, target, result }) => [
    actor,
    action,
    target,
    result,
  ]);
/** Denials are written in the background. */
const untilThere = async (filter: Partial<ListAuditEventsRequest>) => {
  for (;;) {
    const lines = await linesOf(filter);
    if (lines.length > 0) return lines;
  }
};

describe('audited actions', () => {
  it('a sign-in is recorded with its session and its source address', async () => {
    const user = await people.create('operator');
    const [event] = await people.audit(admin, { action: 'sign_in', target: user.id });
    expect(event).toMatchObject({
      actor: user.id,
      actorRole: 'operator',
      result: 'ok',
      details: { source: '127.0.0.1', sessionId: user.tokens.sessionId },
    });
    expect(event?.occurredAt).toBeInstanceOf(Date);
    expect(event?.requestId).toMatch(/^[\w-]{8,64}$/);
  });

  it('a refused sign-in is recorded by account, or by a digest if there is none', async () => {
    const user = await people.create('customer');
    await people.trySignIn(user.email.toUpperCase(), 'not the password');
    expect(await linesOf({ target: user.id, actor: 'anonymous' })).toEqual([
      ['anonymous', 'sign_in', user.id, 'CREDENTIALS_INVALID'],
    ]);
    const typed = 'my secret passphrase';
    const before = (await linesOf({ actor: 'anonymous' })).length;
    for (const text of [typed, typed, 'unknown@example.com', 'UNKNOWN@example.com']) {
      await people.trySignIn(text, 'x');
    }
    const unknown = await linesOf({ actor: 'anonymous' });
    const targets = unknown.slice(0, unknown.length - before).map((line) => line[2]);
    expect(new Set(targets).size).toBe(2);
    for (const target of targets) expect(target).toMatch(/^unknown:[0-9a-f]{32}$/);
    const [row] = await server.database.query<{ text: string }>(
      'SELECT string_agg(a::text, chr(10)) AS text FROM audit_log a',
    );
    for (const secret of [typed, 'unknown@example.com', 'not the password']) {
      expect(row?.text).not.toContain(secret);
    }
  });

  it('a sign-out is recorded once, and so is the end of sessions', async () => {
    const user = await people.create('customer');
    const other = await people.signIn(user.email);
    await server.call(rpc.signOut, {}, `Bearer ${other.accessToken}`);
    const target = { $case: 'allOfUserId', value: user.id } as const;
    await server.call(rpc.revokeSession, { target }, admin.bearer);
    const events = await people.audit(admin, { target: user.id });
    expect(events.slice(0, 2)).toMatchObject([
      { actor: admin.id, action: 'session.revoke', details: { all: 'true', count: '1' } },
      { actor: user.id, action: 'sign_out', details: { sessionId: other.sessionId } },
    ]);
  });

  it('the reuse of a refresh token is recorded', async () => {
    const user = await people.create('customer');
    const refresh = async (refreshToken: string) =>
      server.call(rpc.refreshSession, { refreshToken });
    const next = valueOf(await refresh(user.tokens.refreshToken)).tokens!;
    await refresh(next.refreshToken);
    await refresh(user.tokens.refreshToken);
    await refresh(user.tokens.refreshToken);
    expect(await linesOf({ action: 'session.reuse' })).toEqual([
      ['anonymous', 'session.reuse', user.id, 'REFRESH_TOKEN_INVALID'],
    ]);
  });

  it('the creation and the change of a user are recorded, but no empty change', async () => {
    const request = {
      email: people.newEmail(),
      password: 'correct horse battery',
      role: 2 as Role,
    };
    const { user } = valueOf(await server.call(rpc.createUser, request, admin.bearer));
    const update = { userId: user!.id, role: Role.CUSTOMER, disabled: true };
    await server.call(rpc.updateUser, update, admin.bearer);
    await server.call(rpc.updateUser, update, admin.bearer);
    const events = await people.audit(admin, { target: user!.id });
    expect(events).toMatchObject([
      {
        actor: admin.id,
        action: 'user.update',
        details: { role: 'customer', previousRole: 'operator', disabled: 'true' },
      },
      { actor: admin.id, actorRole: 'admin', action: 'user.create', details: { role: 'operator' } },
    ]);
  });

  it('API keys are recorded in the audit log without their secrets', async () => {
    const expiresAt = new Date(Date.now() + 60_000);
    const request = { name: 'job', scopes: ['users:read'], operations: [], expiresAt };
    const { apiKey, secret } = valueOf(await server.call(rpc.createApiKey, request, admin.bearer));
    await server.call(rpc.getUser, { userId: randomUUID() }, `Bearer ${secret}`);
    for (let i = 0; i < 2; i += 1) {
      await server.call(rpc.revokeApiKey, { apiKeyId: apiKey!.id }, admin.bearer);
    }
    const events = await people.audit(admin, { target: apiKey!.id });
    expect(events.map(({ action }) => action)).toEqual(['api_key.revoke', 'api_key.create']);
    const [read] = await people.audit(admin, { action: 'user.get', actor: admin.id });
    expect(read).toMatchObject({ result: 'USER_NOT_FOUND', details: { apiKeyId: apiKey!.id } });
    const [row] = await server.database.query<{ text: string }>(
      'SELECT string_agg(a::text, chr(10)) AS text FROM audit_log a',
    );
    expect(row?.text).not.toContain(secret.slice(-43));
  });

  it('each read of another user by staff is recorded, and no read of own data', async () => {
    const [user, operator] = [await people.create('customer'), await people.create('operator')];
    const get = (by: SignedInUser, userId: string) =>
      server.call(rpc.getUser, { userId }, by.bearer);
    await get(operator, user.id);
    await get(operator, '');
    await get(user, user.id);
    const users = ListUsersRequest.fromPartial({ email: user.email });
    await server.call(rpc.listUsers, users, operator.bearer);
    const service = { userId: user.id };
    await server.call(rpc.getUser, service, server.serviceAuthorization);
    expect(await linesOf({ actor: operator.id })).toEqual([
      [operator.id, 'user.list', user.id, 'ok'],
      [operator.id, 'user.get', user.id, 'ok'],
      [operator.id, 'sign_in', operator.id, 'ok'],
    ]);
    expect(await linesOf({ target: user.id, action: 'user.get' })).toHaveLength(1);
  });

  it('a denied call is recorded with its target', async () => {
    const [user, other] = [await people.create('customer'), await people.create('customer')];
    await server.call(rpc.getUser, { userId: other.id }, user.bearer);
    expect(await untilThere({ actor: user.id, action: 'denied getUser' })).toEqual([
      [user.id, 'denied getUser', other.id, 'USER_NOT_FOUND'],
    ]);
    await list({}, user);
    expect(await untilThere({ actor: user.id, action: 'denied listAuditEvents' })).toHaveLength(1);
    await server.call(
      rpc.createUser,
      { email: people.newEmail(), password: 'correct horse battery', role: Role.ADMIN },
      user.bearer,
    );
    expect(await untilThere({ actor: user.id, action: 'denied createUser' })).toHaveLength(1);
  });

  it('an action on the host is recorded in the audit log', async () => {
    const user = await people.create('customer');
    expect(await linesOf({ target: user.id, actor: 'host' })).toEqual([
      ['host', 'user.create', user.id, 'ok'],
    ]);
  });
});

describe('reading the audit log', () => {
  it('the audit log is read in pages, newest first, each line once, as lines arrive', async () => {
    const actor = randomUUID();
    await server.database.query(
      `INSERT INTO audit_log (id, occurred_at, actor, actor_role, action, target, result,
         request_id, details)
       SELECT gen_random_uuid(), timestamptz '2026-01-01' + (n / 3) * interval '1 microsecond',
         $1, 'none', 'test', n::text, 'ok', '', '{}' FROM generate_series(1, 20) n`,
      [actor],
    );
    const seen: string[] = [];
    for (let pageToken = ''; ;) {
      const page = valueOf(await list({ actor, pageSize: 3, pageToken }));
      seen.push(...page.events.map((event) => event.id));
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
      expect(reasonOf(await list({ pageSize: 3, pageToken }))).toBe('PAGE_TOKEN_INVALID');
    }
    const rows = await server.database.query<{ id: string }>(
      'SELECT id FROM audit_log WHERE actor = $1 ORDER BY occurred_at DESC, id DESC',
      [actor],
    );
    expect(seen).toEqual(rows.map(({ id }) => id));
    const first = new Date('2026-01-01');
    const within = { actor, from: first, to: new Date(first.getTime() + 1) };
    expect(await linesOf(within)).toHaveLength(20);
    expect(await linesOf({ actor, to: first })).toEqual([]);
    expect(await linesOf({ actor, from: within.to })).toEqual([]);
  });

  it('a page of the audit log fits into a response, however long its lines are', async () => {
    const actor = randomUUID();
    await server.database.query(
      `INSERT INTO audit_log (id, actor, actor_role, action, target, result, request_id, details)
       SELECT gen_random_uuid(), $1, 'none', 'test', '', 'ok', '',
         json_build_object('note', repeat('x', 300000)) FROM generate_series(1, 20)`,
      [actor],
    );
    let count = 0;
    for (let pageToken = ''; ;) {
      const page = valueOf(await list({ actor, pageSize: 500, pageToken }));
      count += page.events.length;
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    expect(count).toBe(20);
  });

  it.each([
    ['a size below 0', { pageSize: -1 }, 'INVALID_ARGUMENT'],
    ['NUL in a filter', { actor: 'a\0' }, 'INVALID_ARGUMENT'],
    ['a time that is none', { to: new Date('+012026-01-01T00:00:00Z') }, 'INVALID_ARGUMENT'],
    ['a made-up page token', { pageToken: 'bm9uZQ' }, 'PAGE_TOKEN_INVALID'],
  ])('listing the audit log refuses %s', async (_what, filter, reason) => {
    expect(reasonOf(await list(filter))).toBe(reason);
  });

  it('an operator cannot read the audit log', async () => {
    expect(reasonOf(await list({}, await people.create('operator')))).toBe('PERMISSION_DENIED');
  });
});

describe('database role of the daemon', () => {
  it.each([
    'UPDATE audit_log SET result = result',
    'DELETE FROM audit_log',
    'TRUNCATE audit_log',
    'SELECT 1 FROM audit_log FOR UPDATE',
    'UPDATE api_keys SET scopes = scopes',
    'UPDATE api_keys SET expires_at = expires_at',
  ])('the database role of the daemon may not %s', async (text) => {
    const tried = server.database.db.tx((tx) => tx.execute({ name: text.slice(0, 60), text }));
    await expect(tried).rejects.toMatchObject({ code: '42501' });
  });
});
