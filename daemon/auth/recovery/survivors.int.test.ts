import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import {
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { resetPasswordOnHost } from '../index.ts';

const password = 'correct horse battery';
const newPassword = 'another long password';
let server: AuthServer;
const people = createPeople(() => server);

beforeAll(async () => {
  server = await startAuthServer();
});

afterEach(() => server.database.query('TRUNCATE attempts'));
afterAll(() => server.stop());

/** An API key of a user, as an attacker who knows the password would create it. */
async function keyOf(user: SignedInUser): Promise<string> {
  const request = {
    name: 'a job',
    scopes: ['wallets:read'],
    operations: [],
    expiresAt: new Date(Date.now() + 86_400_000),
  };
  return valueOf(await server.call(rpc.createApiKey, request, user.bearer)).secret;
}

const useKey = async (secret: string) =>
  reasonOf(await server.call(rpc.validateToken, { accessToken: secret }));
const useSession = async ({ bearer }: SignedInUser) =>
  reasonOf(await server.call(rpc.getUser, { userId: '' }, bearer));

/** Every way in which a password is set anew, by the owner of the account. */
const recoveries: readonly [
  string,
  (user: SignedInUser, keepApiKeys: boolean) => Promise<unknown>,
][] = [
  [
    'walletd users reset-password',
    ({ email }, keepApiKeys) =>
      resetPasswordOnHost(server.database.db, { email, password: newPassword, keepApiKeys }),
  ],
  [
    'a change of password that ends the keys',
    ({ bearer }, keepApiKeys) =>
      server.call(
        rpc.changePassword,
        {
          oldPassword: password,
          newPassword,
          revokeOtherSessions: true,
          revokeApiKeys: !keepApiKeys,
        },
        bearer,
      ),
  ],
];

describe.each(recoveries)('after %s', (_name, recover) => {
  it('after a recovery, API keys that were made before no longer work', async () => {
    const owner = await people.create('customer');
    const key = await keyOf(owner);
    expect(await useKey(key)).toBe('ok');
    await recover(owner, false);
    expect(await useKey(key)).toBe('TOKEN_REVOKED');
  });

  it('after a recovery, API keys still work if that was requested', async () => {
    const owner = await people.create('customer');
    const key = await keyOf(owner);
    await recover(owner, true);
    expect(await useKey(key)).toBe('ok');
  });

  it('after a recovery, an earlier device token does not pass the throttle', async () => {
    const owner = await people.create('customer');
    const { deviceToken } = valueOf(await people.trySignIn(owner.email));
    await recover(owner, false);
    const guess = (n: number) =>
      server.call(
        rpc.signIn,
        {
          email: owner.email,
          password: `wrong ${n}`,
          client: '',
          deviceToken: n < 5 ? '' : deviceToken,
        },
        undefined,
        1_500,
      );
    for (let i = 0; i < 5; i += 1) await guess(i);
    await server.database.query(
      `UPDATE attempts SET blocked_until = clock_timestamp() + interval '4 seconds' WHERE count >= 5`,
    );
    expect(reasonOf(await guess(5))).toBe('THROTTLED');
  });

  it('after a recovery, another session has ended', async () => {
    const owner = await people.create('customer');
    const tokens = await people.signIn(owner.email);
    await recover(owner, false);
    const other = { ...owner, bearer: `Bearer ${tokens.accessToken}` };
    while ((await useSession(other)) === 'ok');
    expect(await useSession(other)).toBe('TOKEN_REVOKED');
  });
});
