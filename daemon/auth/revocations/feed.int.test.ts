import { afterAll, beforeAll, expect, it } from 'vitest';

import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import { generateSigningKey } from '../sessions/signing-keys.ts';

const signingKeyPem = generateSigningKey();
let server: AuthServer;
let ana: SignedInUser;
const people = createPeople(() => server);

beforeAll(async () => {
  server = await startAuthServer({ signingKeyPem });
  ana = await people.create('customer');
});

afterAll(() => server.stop());

const whoami = async (by: AuthServer, bearer: string): Promise<string> =>
  reasonOf(await by.call(rpc.getUser, { userId: '' }, bearer));

it('a daemon that starts after 120,000 revocations refuses only the revoked tokens', async () => {
  const ended = await people.create('customer');
  await server.database.query(
    `INSERT INTO revocations (kind, subject_id, revoked_at)
     SELECT 'api-key', gen_random_uuid(), clock_timestamp() - n * interval '5 milliseconds'
     FROM generate_series(1, 120000) AS n`,
  );
  expect(reasonOf(await server.call(rpc.signOut, {}, ended.bearer))).toBe('ok');
  const second = await startAuthServer({ database: server.database, signingKeyPem });
  try {
    expect(await whoami(second, ana.bearer)).toBe('ok');
    expect(await whoami(second, ended.bearer)).toBe('TOKEN_REVOKED');
  } finally {
    await second.stop();
  }
});

it('pages of revocations have each one once, and a page token is bound to its query', async () => {
  await server.database.query('DELETE FROM revocations');
  await server.database.query(
    `INSERT INTO revocations (kind, subject_id, revoked_at)
     SELECT 'session', gen_random_uuid(), date_trunc('second', clock_timestamp())
     FROM generate_series(1, 45000)`,
  );
  const since = new Date(Date.now() - 60_000);
  const seen: string[] = [];
  let pageToken = '';
  let pages = 0;
  do {
    const request = { since, pageToken };
    const page = valueOf(
      await server.call(rpc.listRevocations, request, server.serviceAuthorization),
    );
    seen.push(...page.revocations.map(({ subject }) => subject?.value ?? ''));
    ({ nextPageToken: pageToken } = page);
    pages += 1;
  } while (pageToken !== '' && pages < 10);
  expect(pages).toBe(3);
  expect(seen.length).toBe(45_000);
  expect(new Set(seen).size).toBe(45_000);
  const first = valueOf(
    await server.call(rpc.listRevocations, { since, pageToken: '' }, server.serviceAuthorization),
  );
  const other = { since: new Date(0), pageToken: first.nextPageToken };
  expect(reasonOf(await server.call(rpc.listRevocations, other, server.serviceAuthorization))).toBe(
    'PAGE_TOKEN_INVALID',
  );
});
