import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createPeople, reasonOf, valueOf } from '../../../tests/support/auth-people.ts';
import {
  startAuthServer,
  type AuthServer,
  type AuthServerOptions,
} from '../../../tests/support/auth-server.ts';
import { appCode, enrol, forget, password, type Enrolled } from '../../../tests/support/totp.ts';
import { createLog } from '../../platform/log.ts';
import { generateSigningKey } from '../index.ts';
import { createSigningKeys } from '../signing-keys.ts';
import { createSealer } from './seal.ts';
import { createSecondFactor } from './second-factor.ts';

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
  it('cannot be read without the old key: a code is refused, a recovery code works', async () => {
    await restart({ signingKeyPem: newKey });
    expect(reasonOf(await signIn(ana))).toBe('TOTP_UNREADABLE');
    expect(valueOf(await signIn(ana, ana.recoveryCodes[0])).recoveryCodesLeft).toBe(9);
  });

  it('is read with the previous key, and with the new one alone once it was used', async () => {
    await restart({ signingKeyPem: newKey, previousKeyPem: oldKey });
    expect(reasonOf(await signIn(ana))).toBe('ok');
    await restart({ signingKeyPem: newKey });
    expect(reasonOf(await signIn(ana))).toBe('ok');
    expect(reasonOf(await signIn(bia))).toBe('TOTP_UNREADABLE');
  });

  it('is sealed with the new key when a daemon starts with both', async () => {
    const keys = await createSigningKeys(newKey, oldKey);
    if (!keys.ok) throw new Error(keys.problem);
    const sealer = createSealer(keys.value.deriveSecrets('totp secrets'));
    const factor = createSecondFactor({ sealer, log: createLog('silent') });
    expect(await factor.resealAll(current().database.db)).toBe(1);
    expect(await factor.resealAll(current().database.db)).toBe(0);
    expect(reasonOf(await signIn(bia))).toBe('ok');
  });
});
