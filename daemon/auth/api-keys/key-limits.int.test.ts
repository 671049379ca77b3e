import { afterAll, beforeAll, expect, it } from 'vitest';

import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import { pruneExpiredKeys, pruneRevokedKeys } from './store.ts';

let server: AuthServer;
const people = createPeople(() => server);

beforeAll(async () => {
  server = await startAuthServer();
});

afterAll(() => server.stop());

const create = (by: SignedInUser) => {
  const expiresAt = new Date(Date.now() + 86_400_000);
  const request = { name: 'job', scopes: ['wallets:read'], operations: [], expiresAt };
  return server.call(rpc.createApiKey, request, by.bearer);
};

it('a user can create at most 100 API keys within an hour, revoked ones included', async () => {
  const ana = await people.create('customer');
  for (let i = 0; i < 100; i += 1) {
    const { apiKey } = valueOf(await create(ana));
    await server.call(rpc.revokeApiKey, { apiKeyId: apiKey!.id }, ana.bearer);
  }
  expect(await create(ana)).toMatchObject({ reason: 'API_KEY_LIMIT', metadata: { limit: '100' } });
  // Those of a clock that was ahead do not count for longer than the others.
  for (const age of ["- interval '61 minutes'", "+ interval '16 minutes'"]) {
    await server.database.query(
      `UPDATE api_keys SET created_at = clock_timestamp() ${age} WHERE owner_id = $1`,
      [ana.id],
    );
    expect(reasonOf(await create(ana))).toBe('ok');
  }
});

it('API keys are deleted a day after revocation, and 30 days after expiry', async () => {
  const bia = await people.create('customer');
  const ids: string[] = [];
  for (let i = 0; i < 5; i += 1) ids.push(valueOf(await create(bia)).apiKey!.id);
  const [revoked, revokedLately, expired, expiredLately, valid] = ids;
  const set = (id: string | undefined, column: string, age: string) =>
    server.database.query(
      `UPDATE api_keys SET ${column} = clock_timestamp() - interval '${age}' WHERE id = $1`,
      [id],
    );
  await set(revoked, 'revoked_at', '25 hours');
  await set(revokedLately, 'revoked_at', '23 hours');
  await set(expired, 'expires_at', '31 days');
  await set(expiredLately, 'expires_at', '29 days');
  const { db } = server.database;
  expect(await db.tx((tx) => pruneRevokedKeys(tx, 1_000))).toBe(1);
  expect(await db.tx((tx) => pruneExpiredKeys(tx, 1_000))).toBe(1);
  const left = await server.database.query<{ id: string }>(
    'SELECT id FROM api_keys WHERE owner_id = $1',
    [bia.id],
  );
  const expected = [revokedLately, expiredLately, valid];
  expect(left.map(({ id }) => id).sort()).toEqual(expected.sort());
});
