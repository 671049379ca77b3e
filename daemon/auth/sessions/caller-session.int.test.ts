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

type Row = {
  readonly call: Call;
  /** Reads what the call would leave behind, of the user $1. */
  readonly effect: string;
};

/** What outlasts the session that did it. */
const calls: Readonly<Record<string, Row>> = {
  'an API key': {
    call: ({ bearer }) => {
      const expiresAt = new Date(Date.now() + 86_400_000);
      const request = { name: 'late', scopes: ['wallets:read'], operations: [], expiresAt };
      return server.call(rpc.createApiKey, request, bearer);
    },
    effect: 'SELECT name FROM api_keys WHERE owner_id = $1',
  },
  'a new password': {
    call: ({ bearer }) => {
      const change = { oldPassword: password, newPassword: 'the thief has this one' };
      const request = { ...change, revokeOtherSessions: false, revokeApiKeys: false };
      return server.call(rpc.changePassword, request, bearer);
    },
    effect: 'SELECT password_hash FROM users WHERE id = $1',
  },
  'another address': {
    call: ({ bearer }) =>
      server.call(rpc.requestEmailChange, { newEmail: people.newEmail(), password }, bearer),
    effect: 'SELECT new_email FROM email_changes WHERE user_id = $1',
  },
  'an account': {
    call: ({ bearer }) =>
      server.call(rpc.createUser, { email: people.newEmail(), password, role: 3 }, bearer),
    effect: `SELECT target FROM audit_log WHERE actor = $1 AND action = 'user.create'`,
  },
  'a role': {
    call: ({ bearer, id }) => server.call(rpc.updateUser, { userId: id, role: 2 }, bearer),
    effect: 'SELECT role FROM users WHERE id = $1',
  },
  'a second factor': {
    call: ({ bearer }) => server.call(rpc.beginTotp, { password }, bearer),
    effect: 'SELECT secret FROM totp_secrets WHERE user_id = $1',
  },
};

describe('calls in flight while all credentials of the caller are ended', () => {
  it.each(Object.entries(calls))(
    'a call for %s, revoked in flight, has no effect',
    async (_what, row) => {
      const owner = await people.create('admin');
      const { db } = server.database;
      const readEffect = ({ id }: SignedInUser) => server.database.query(row.effect, [id]);
      const before = await readEffect(owner);
      const waiting: ReturnType<Call>[] = [];
      await db.tx(async (tx) => {
        const user = await lockUser(tx, owner.id);
        if (!user) throw new Error('no such user');
        waiting.push(row.call(owner));
        await people.untilWaiting(1);
        await endCredentials(tx, user, { keepApiKeys: false });
      });
      expect((await Promise.all(waiting)).map(reasonOf)).toEqual(['TOKEN_REVOKED']);
      expect(await readEffect(owner)).toEqual(before);
      // With a session that goes on, the same call leaves it.
      const other = await people.create('admin');
      const untouched = await readEffect(other);
      expect(reasonOf(await row.call(other))).toBe('ok');
      expect(await readEffect(other)).not.toEqual(untouched);
    },
  );
});
