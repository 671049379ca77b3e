import { createHash, randomBytes, randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
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
  ListUsersRequest,
  Role,
  type CreateApiKeyRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';

const dayMs = 24 * 60 * 60_000;
let server: AuthServer;
let admin: SignedInUser;
const people = createPeople(() => server);

beforeAll(async () => {
  server = await startAuthServer();
  admin = await people.create('admin');
});

afterAll(() => server.stop());

const tryCreate = (by: SignedInUser, change: Partial<CreateApiKeyRequest> = {}) => {
  const expiresAt = new Date(Date.now() + dayMs);
  const request = { name: 'job', scopes: ['wallets:read'], operations: [], expiresAt, ...change };
  return server.call(rpc.createApiKey, request, by.bearer);
};
const create = async (by: SignedInUser, change: Partial<CreateApiKeyRequest> = {}) => {
  const { apiKey, secret } = valueOf(await tryCreate(by, change));
  if (!apiKey) throw new Error('no key');
  return { apiKey, secret, id: apiKey.id };
};
const validate = (accessToken: string) => server.call(rpc.validateToken, { accessToken });
const list = (by: SignedInUser, ownerId = '', page = { pageSize: 0, pageToken: '' }) =>
  server.call(rpc.listApiKeys, { ownerId, ...page }, by.bearer);
const revoke = (by: SignedInUser, apiKeyId: string) =>
  server.call(rpc.revokeApiKey, { apiKeyId }, by.bearer);
const whoami = async (secret: string, userId = '') =>
  reasonOf(await server.call(rpc.getUser, { userId }, `Bearer ${secret}`));
const withoutId = (answer: Answer<unknown>, id: string) =>
  JSON.parse(JSON.stringify(answer).replaceAll(id, 'ID')) as unknown;

describe('new API keys', () => {
  it('an API key has 256 random bits after a visible prefix; only its hash is stored', async () => {
    const { apiKey, secret } = await create(admin, { name: ' nightly ' });
    const [, prefix, bits = ''] = /^(dwk_[0-9a-f]{8})_([\w-]{43})$/.exec(secret) ?? [];
    expect(apiKey).toMatchObject({ name: 'nightly', prefix, ownerId: admin.id, revoked: false });
    const [row] = await server.database.query<{ text: string }>(
      'SELECT k::text AS text FROM api_keys k WHERE id = $1',
      [apiKey.id],
    );
    expect(row?.text).toContain(createHash('sha256').update(secret).digest('hex'));
    const raw = Buffer.from(bits, 'base64url');
    for (const form of [bits, raw.toString('hex')]) expect(row?.text).not.toContain(form);
    expect(JSON.stringify(valueOf(await list(admin)))).not.toContain(bits);
  });

  it('an API key reports its scopes, wallet and operations, also when validated', async () => {
    const operator = await people.create('operator');
    const walletId = randomUUID();
    const scopes = ['transactions:write', 'users:read'];
    const { apiKey, secret } = await create(operator, {
      scopes,
      walletId,
      operations: ['deposit'],
    });
    expect(apiKey).toMatchObject({ scopes, walletId, operations: ['deposit'] });
    const verdict = valueOf(await validate(secret));
    expect(verdict).toMatchObject({
      userId: operator.id,
      role: Role.OPERATOR,
      sessionId: '',
      apiKey: { id: apiKey.id, scopes, walletId, operations: ['deposit'] },
    });
    expect(verdict.asOf!.getTime()).toBeLessThanOrEqual(Date.now());
    expect(verdict.expiresAt).toEqual(apiKey.expiresAt);
  });

  it.each([
    ['of more than a year', { expiresAt: new Date(Date.now() + 367 * dayMs) }, 'INVALID_ARGUMENT'],
    ['without an end', { expiresAt: undefined }, 'INVALID_ARGUMENT'],
    ['with a scope for staff', { scopes: ['users:read'] }, 'PERMISSION_DENIED'],
    ['with an unknown scope', { scopes: ['everything'] }, 'INVALID_ARGUMENT'],
  ])('an API key %s is refused to a customer', async (_what, change, reason) => {
    expect(reasonOf(await tryCreate(await people.create('customer'), change))).toBe(reason);
  });

  it('a user has at most fifty API keys at once, also after concurrent calls', async () => {
    const user = await people.create('customer');
    const answers = await Promise.all(Array.from({ length: 55 }, () => tryCreate(user)));
    const refused = answers.filter((answer) => !answer.ok).map(reasonOf);
    expect(refused).toEqual(Array<string>(5).fill('API_KEY_LIMIT'));
    const first = answers.find((answer) => answer.ok);
    await revoke(user, valueOf(first!).apiKey!.id);
    expect(reasonOf(await tryCreate(user))).toBe('ok');
    expect(reasonOf(await tryCreate(user))).toBe('API_KEY_LIMIT');
  });
});

describe('use of API keys', () => {
  it('an API key allows the calls of its scopes, and none that only people may make', async () => {
    const operator = await people.create('operator');
    const reader = await create(operator, { scopes: ['users:read'] });
    const other = await create(operator, { scopes: ['wallets:read'] });
    expect(await whoami(reader.secret)).toBe('ok');
    expect(await whoami(other.secret)).toBe('PERMISSION_DENIED');
    const bearer = `Bearer ${reader.secret}`;
    const answers = [
      await tryCreate({ ...operator, bearer }),
      await list({ ...operator, bearer }),
      await revoke({ ...operator, bearer }, reader.id),
      await server.call(rpc.signOut, {}, bearer),
      await server.call(
        rpc.createUser,
        { email: people.newEmail(), password: 'x'.repeat(12), role: 1 },
        bearer,
      ),
    ];
    expect(new Set(answers.map(reasonOf))).toEqual(new Set(['PERMISSION_DENIED']));
    const users = await server.call(rpc.listUsers, ListUsersRequest.fromPartial({}), bearer);
    expect(reasonOf(users)).toBe('ok');
  });

  it('an API key has the current role of its owner', async () => {
    const operator = await people.create('operator');
    const { secret } = await create(operator, { scopes: ['users:read'] });
    expect(await whoami(secret, admin.id)).toBe('ok');
    const change = { userId: operator.id, role: Role.CUSTOMER };
    expect(reasonOf(await server.call(rpc.updateUser, change, admin.bearer))).toBe('ok');
    expect(await whoami(secret, admin.id)).toBe('USER_NOT_FOUND');
    expect(await whoami(secret)).toBe('ok');
  });

  it('an API key is refused while its owner is disabled', async () => {
    const operator = await people.create('operator');
    const { secret } = await create(operator, { scopes: ['users:read'] });
    expect(await whoami(secret)).toBe('ok');
    const set = (disabled: boolean) =>
      server.call(rpc.updateUser, { userId: operator.id, disabled }, admin.bearer);
    await set(true);
    expect(await whoami(secret)).toBe('TOKEN_REVOKED');
    expect(reasonOf(await validate(secret))).toBe('TOKEN_REVOKED');
    await set(false);
    expect(await whoami(secret)).toBe('ok');
  });

  it('an API key validated during a role change has the new role or an earlier asOf', async () => {
    const operator = await people.create('operator');
    const { secret } = await create(operator, { scopes: ['users:read'] });
    let revokedAtMs = 0;
    const asking = await server.database.db.tx(async (tx) => {
      const change = {
        name: 'test_demote',
        text: `WITH u AS (UPDATE users SET role = 'customer' WHERE id = $1)
               SELECT clock_timestamp() AS at`,
      };
      const [row] = await tx.query<{ at: number }>(change, [operator.id]);
      revokedAtMs = row!.at;
      let isDone = false;
      const begun = validate(secret).finally(() => (isDone = true));
      await people.untilWaiting(1, () => isDone);
      return { begun };
    });
    const verdict = valueOf(await asking.begun);
    const isNew = verdict.role === Role.CUSTOMER;
    expect(isNew || verdict.asOf!.getTime() <= revokedAtMs).toBe(true);
  });

  it('an API key is refused as expired from its expiry time on', async () => {
    const { secret, id } = await create(admin);
    await server.database.query('UPDATE api_keys SET expires_at = now() WHERE id = $1', [id]);
    expect(reasonOf(await validate(secret))).toBe('TOKEN_EXPIRED');
  });

  it.each([
    ['made up', `dwk_00000000_${randomBytes(32).toString('base64url')}`],
    ['only the prefix', 'dwk_'],
    ['with NUL and half a pair', 'dwk_\0\ud83d'],
    ['very long', `dwk_${'x'.repeat(100_000)}`],
  ])('an API key that is %s is invalid', async (_what, secret) => {
    expect(reasonOf(await validate(secret))).toBe('TOKEN_INVALID');
  });

  it('an API key shows when it was last used, to the minute', async () => {
    const { secret, id } = await create(admin);
    const lastUse = async () => {
      const sql = 'SELECT last_used_at::text AS at FROM api_keys WHERE id = $1';
      return (await server.database.query<{ at: string | null }>(sql, [id]))[0]?.at ?? undefined;
    };
    const untilUsedAfter = async (before: string | undefined) => {
      for (;;) {
        const at = await lastUse();
        if (at !== before) return at;
      }
    };
    expect(await lastUse()).toBeUndefined();
    await validate(secret);
    const first = await untilUsedAfter(undefined);
    await validate(secret);
    await validate(secret);
    expect(await lastUse()).toBe(first);
    const age = `UPDATE api_keys SET last_used_at = last_used_at - interval '61 s' WHERE id = $1`;
    await server.database.query(age, [id]);
    const aged = await lastUse();
    await validate(secret);
    expect(await untilUsedAfter(aged)).not.toBe(first);
    const shown = valueOf(await list(admin)).apiKeys.find((key) => key.id === id);
    expect(shown?.lastUsedAt).toBeInstanceOf(Date);
  });
});

describe('revocation of API keys', () => {
  it('revoking an API key takes effect at once, is in the feed, and is idempotent', async () => {
    const operator = await people.create('operator');
    const { secret, id } = await create(operator, { scopes: ['users:read'] });
    expect(await whoami(secret)).toBe('ok');
    expect(valueOf(await revoke(operator, id)).apiKey).toMatchObject({ id, revoked: true });
    expect(await whoami(secret)).toBe('TOKEN_REVOKED');
    expect(reasonOf(await validate(secret))).toBe('TOKEN_REVOKED');
    expect(valueOf(await revoke(operator, id)).apiKey?.revoked).toBe(true);
    const since = { since: undefined };
    const feed = await server.call(rpc.listRevocations, since, server.serviceAuthorization);
    const subjects = valueOf(feed).revocations.map(({ subject }) => subject);
    expect(subjects.filter((subject) => subject?.value === id)).toEqual([
      { $case: 'apiKeyId', value: id },
    ]);
  });

  it('only an admin can revoke another user’s API key; for others it does not exist', async () => {
    const user = await people.create('customer');
    const { secret, id } = await create(user);
    const nothing = randomUUID();
    for (const role of ['customer', 'operator'] as const) {
      const stranger = await people.create(role);
      const foreign = await revoke(stranger, id);
      expect(reasonOf(foreign)).toBe('API_KEY_NOT_FOUND');
      expect(withoutId(foreign, id)).toEqual(withoutId(await revoke(stranger, nothing), nothing));
    }
    expect(reasonOf(await revoke(admin, 'x'))).toBe('API_KEY_NOT_FOUND');
    expect(reasonOf(await validate(secret))).toBe('ok');
    expect(reasonOf(await revoke(admin, id))).toBe('ok');
    expect(reasonOf(await validate(secret))).toBe('TOKEN_REVOKED');
  });
});

describe('lists of API keys', () => {
  it('a user lists their own API keys in pages, newest first, with the revoked ones', async () => {
    const user = await people.create('customer');
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) ids.unshift((await create(user)).id);
    await revoke(user, ids[1]!);
    const first = valueOf(await list(user, '', { pageSize: 2, pageToken: '' }));
    const rest = valueOf(
      await list(user, user.id, { pageSize: 2, pageToken: first.nextPageToken }),
    );
    expect([...first.apiKeys, ...rest.apiKeys].map((key) => key.id)).toEqual(ids);
    expect(first.apiKeys.map((key) => key.revoked)).toEqual([false, true]);
    expect(rest.nextPageToken).toBe('');
  });

  it('only an admin can list another user’s API keys', async () => {
    const [user, operator] = [await people.create('customer'), await people.create('operator')];
    const { id } = await create(user);
    expect(valueOf(await list(admin, user.id)).apiKeys.map((key) => key.id)).toEqual([id]);
    expect(reasonOf(await list(operator, user.id))).toBe('USER_NOT_FOUND');
    expect(reasonOf(await list(admin, randomUUID()))).toBe('USER_NOT_FOUND');
  });
});
