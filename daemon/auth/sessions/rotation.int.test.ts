import { setImmediate } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import {
  startAuthServer,
  type AuthServer,
  type AuthServerOptions,
} from '../../../tests/support/auth/server.ts';
import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createTokenVerifier } from '../../platform/access/tokens.ts';
import { generateSigningKey } from '../index.ts';
import { createSigningKeys } from './signing-keys.ts';

const [oldKey, newKey] = [generateSigningKey(), generateSigningKey()];
/** The first owns the database; the last is the one that runs now. */
const servers: AuthServer[] = [];
const current = (): AuthServer => servers.at(-1)!;
const people = createPeople(current);

/** The next daemon, on the same database. */
async function restart(keys: AuthServerOptions): Promise<void> {
  const database = servers[0]?.database;
  servers.push(await startAuthServer({ ...keys, ...(database ? { database } : {}) }));
}

beforeAll(() => restart({ signingKeyPem: oldKey }));

afterAll(async () => {
  for (const server of [...servers].reverse()) await server.stop();
});

/** The id of the key in the header of a token. */
const kidOf = (token: string): unknown =>
  (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid?: unknown }).kid;

const whoami = async (accessToken: string) =>
  reasonOf(await current().call(rpc.getUser, { userId: '' }, `Bearer ${accessToken}`));
const refresh = (refreshToken: string) => current().call(rpc.refreshSession, { refreshToken });

describe('rotation of the signing key', () => {
  // Another process, which goes on through all of it.
  let nowMs = Date.now();
  const verifier = createTokenVerifier({
    fetchJwks: () => current().fetchJwks(),
    nowMs: () => nowMs,
  });
  const verdict = async (token: string) => {
    const verified = await verifier.verify(token);
    return verified.ok ? 'ok' : verified.rejection.reason;
  };
  let user: SignedInUser;
  let lost: string;
  let successor: string;

  it('before a rotation of the signing key, tokens carry the id of the old key', async () => {
    user = await people.create('customer');
    const { keys } = await current().fetchJwks();
    expect(keys).toHaveLength(1);
    expect(kidOf(user.tokens.accessToken)).toBe(keys[0]?.kid);
    expect(await verdict(user.tokens.accessToken)).toBe('ok');
    lost = (await people.signIn(user.email)).refreshToken;
    successor = valueOf(await refresh(lost)).tokens!.refreshToken;
  });

  it('a key rotation ends no session: old tokens stay valid, new ones have a new key', async () => {
    await restart({ signingKeyPem: newKey, previousKeyPem: oldKey });
    expect((await current().fetchJwks()).keys).toHaveLength(2);
    expect(await whoami(user.tokens.accessToken)).toBe('ok');
    const { accessToken } = await people.signIn(user.email);
    expect(await whoami(accessToken)).toBe('ok');
    nowMs += 61_000;
    expect(await verdict(user.tokens.accessToken)).toBe('ok');
    expect(await verdict(accessToken)).toBe('ok');
    const kids = [user.tokens.accessToken, accessToken].map(kidOf);
    expect(new Set(kids).size).toBe(2);
    expect(kids.toSorted()).toEqual(
      (await current().fetchJwks()).keys.map(({ kid }) => kid).sort(),
    );
    expect(reasonOf(await refresh(user.tokens.refreshToken))).toBe('ok');
  });

  it('after a key rotation, a refresh token’s successor is repeated within the grace', async () => {
    expect(valueOf(await refresh(lost)).tokens?.refreshToken).toBe(successor);
    expect(reasonOf(await refresh(successor))).toBe('ok');
  });

  it('once an old signing key is withdrawn, its tokens are refused, new ones are not', async () => {
    const { accessToken, refreshToken } = await people.signIn(user.email);
    await restart({ signingKeyPem: newKey });
    expect(await whoami(user.tokens.accessToken)).toBe('TOKEN_INVALID');
    expect(await whoami(accessToken)).toBe('ok');
    nowMs += 61_000;
    // The call that finds the keys old has them fetched; it is not the one that waits for them.
    while ((await verdict(user.tokens.accessToken)) === 'ok') await setImmediate();
    expect(await verdict(user.tokens.accessToken)).toBe('TOKEN_INVALID');
    expect(await verdict(accessToken)).toBe('ok');
    expect(reasonOf(await refresh(refreshToken))).toBe('ok');
  });

  it('a lost refresh token of a withdrawn signing key is refused; its session stays', async () => {
    await restart({ signingKeyPem: oldKey });
    const { refreshToken } = await people.signIn(user.email);
    const next = valueOf(await refresh(refreshToken)).tokens!;
    await restart({ signingKeyPem: newKey });
    expect(reasonOf(await refresh(refreshToken))).toBe('REFRESH_TOKEN_INVALID');
    expect(reasonOf(await refresh(next.refreshToken))).toBe('ok');
  });
});

describe('unusable signing keys', () => {
  it.each([
    ['no key', 'not a key', undefined, 'signing'],
    ['a previous key that is none', newKey, 'not a key', 'previous'],
    ['the same key twice', newKey, newKey, 'previous'],
  ])('a signing key is refused: %s', async (_what, pem, previousPem, key) => {
    expect(await createSigningKeys(pem, previousPem)).toMatchObject({ ok: false, key });
  });
});
