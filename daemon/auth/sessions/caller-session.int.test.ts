import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createPeople, reasonOf, type SignedInUser } from '../../../tests/support/auth/people.ts';
import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import { openMailbox, type Mailbox } from '../../../tests/support/mail/mailbox.ts';
import { endCredentials } from '../recovery/credentials.ts';
import { lockUser } from '../users/store.ts';

const password = 'correct horse battery';
let server: AuthServer;
let mailbox: Mailbox;
const people = createPeople(() => server);

beforeAll(async () => {
  mailbox = await openMailbox();
  server = await startAuthServer({ mailer: mailbox.mailer });
});
afterAll(async () => {
  await server.stop();
  await mailbox.stop();
});

type Call = (caller: SignedInUser) => Promise<Parameters<typeof reasonOf>[0]>;

/** What outlasts the session that did it. */
const calls: Readonly<Record<string, Call>> = {
  'an API key': ({ bearer }) => {
    const expiresAt = new Date(Date.now() + 86_400_000);
    const request = { name: 'late', scopes: ['wallets:read'], operations: [], expiresAt };
    return server.call(rpc.createApiKey, request, bearer);
  },
  'a new password': ({ bearer }) => {
    const change = { oldPassword: password, newPassword: 'the thief has this one' };
    const request = { ...change, revokeOtherSessions: false, revokeApiKeys: false };
    return server.call(rpc.changePassword, request, bearer);
  },
  'another address': ({ bearer }) =>
    server.call(rpc.requestEmailChange, { newEmail: people.newEmail(), password }, bearer),
  'an account': ({ bearer }) =>
    server.call(rpc.createUser, { email: people.newEmail(), password, role: 3 }, bearer),
  'a role': ({ bearer, id }) => server.call(rpc.updateUser, { userId: id, role: 2 }, bearer),
  'a second factor': ({ bearer }) => server.call(rpc.beginTotp, { password }, bearer),
};

describe('calls in flight while all credentials of the caller are ended', () => {
  it.each(Object.entries(calls))('a call for %s, revoked in flight, fails', async (_what, call) => {
    const owner = await people.create('admin');
    const { db } = server.database;
    const waiting: ReturnType<Call>[] = [];
    await db.tx(async (tx) => {
      const user = await lockUser(tx, owner.id);
      if (!user) throw new Error('no such user');
      waiting.push(call(owner));
      await people.untilWaiting(1);
      await endCredentials(tx, user, { keepApiKeys: false });
    });
    expect((await Promise.all(waiting)).map(reasonOf)).toEqual(['TOKEN_REVOKED']);
    const [left] = await server.database.query(
      'SELECT count(*)::int AS count FROM api_keys WHERE owner_id = $1 AND revoked_at IS NULL',
      [owner.id],
    );
    expect(left).toEqual({ count: 0 });
  });
});
