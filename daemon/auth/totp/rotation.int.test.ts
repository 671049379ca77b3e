import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createPeople, reasonOf, valueOf } from '../../../tests/support/auth/people.ts';
import {
  startAuthServer,
  type AuthServer,
  type AuthServerOptions,
} from '../../../tests/support/auth/server.ts';
import {
  appCode,
  enrol,
  forget,
  password,
  type Enrolled,
} from '../../../tests/support/auth/totp.ts';
import { generateSigningKey } from '../index.ts';

const [oldKey, newKey] = [generateSigningKey(), generateSigningKey()];
const servers: AuthServer[] = [];
const current = (): AuthServer => servers.at(-1)!;
const people = createPeople(current);
let ana: Enrolled;
let bia: Enrolled;

/** The next daemon, on the same database. */
async function restart(keys: AuthServerOptions): Promise<void> {
  const database = servers[0]?.database;
  servers.push(await startAuthServer({ ...keys, ...(database ? { database } : {}) }));
}

beforeAll(async () => {
  await restart({ signingKeyPem: oldKey });
  ana = await enrol(current(), await people.create('operator'));
  bia = await enrol(current(), await people.create('operator'));
});
afterAll(async () => {
  for (const server of [...servers].reverse()) await server.stop();
});

const signIn = async (who: Enrolled, totpCode = appCode(who.secret)) => {
  await forget(current(), who);
  const request = { email: who.email, password, client: '', deviceToken: '', totpCode };
  return current().call(rpc.signIn, request);
};

describe('a second factor after a change of the signing key', () => {
  it('without the old signing key a TOTP code is refused, and a recovery code works', async () => {
    await restart({ signingKeyPem: newKey });
    expect(reasonOf(await signIn(ana))).toBe('TOTP_UNREADABLE');
    expect(valueOf(await signIn(ana, ana.recoveryCodes[0])).recoveryCodesLeft).toBe(9);
  });

  it('a starting daemon with both signing keys seals second factors with the new one', async () => {
    await restart({ signingKeyPem: newKey, previousKeyPem: oldKey });
    expect(reasonOf(await signIn(ana))).toBe('ok');
    // No user has signed in with this secret meanwhile.
    await vi.waitFor(
      async () => {
        const { database } = current();
        expect(await database.query('SELECT DISTINCT key_id FROM totp_secrets')).toHaveLength(1);
      },
      { timeout: 20_000 },
    );
    await restart({ signingKeyPem: newKey });
    expect(reasonOf(await signIn(ana))).toBe('ok');
    expect(reasonOf(await signIn(bia))).toBe('ok');
  });
});
