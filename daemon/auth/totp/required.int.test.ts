import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService as rpc, Role } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  bearerOf,
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import { enrol, forget, appCode, password } from '../../../tests/support/auth/totp.ts';
import { generateSigningKey } from '../index.ts';

const signingKeyPem = generateSigningKey();
/** With STAFF_TOTP=optional, as before. */
let optional: AuthServer;
/** The same with STAFF_TOTP=required. */
let required: AuthServer;
const people = createPeople(() => optional);
let operator: SignedInUser;
let customer: SignedInUser;

beforeAll(async () => {
  optional = await startAuthServer({ signingKeyPem });
  const { database } = optional;
  required = await startAuthServer({ signingKeyPem, database, isStaffTotpRequired: true });
  operator = await people.create('operator');
  customer = await people.create('customer');
});
afterAll(async () => {
  await required.stop();
  await optional.stop();
});

const page = { pageSize: 1, pageToken: '' };
const list = async (bearer: string, on = required) =>
  reasonOf(await on.call(rpc.listUsers, { ...page, role: 0, email: '' }, bearer));
const get = async (bearer: string, userId = '', on = required) =>
  reasonOf(await on.call(rpc.getUser, { userId }, bearer));
const keyOf = async (owner: SignedInUser, scopes = ['users:read']) => {
  const expiresAt = new Date(Date.now() + 3_600_000);
  const request = { name: 'job', scopes, operations: [], expiresAt };
  return `Bearer ${valueOf(await optional.call(rpc.createApiKey, request, owner.bearer)).secret}`;
};
const validate = (bearer: string) =>
  required.call(rpc.validateToken, { accessToken: bearer.slice('Bearer '.length) });

describe('STAFF_TOTP=required', () => {
  it('STAFF_TOTP=required holds for access tokens and sessions that already existed', async () => {
    expect(await list(operator.bearer, optional)).toBe('ok');
    expect(
      await required.call(rpc.listUsers, { ...page, role: 0, email: '' }, operator.bearer),
    ).toMatchObject({ code: 7, reason: 'TOTP_ENROLMENT_REQUIRED', metadata: { role: 'operator' } });
    const refreshed = valueOf(
      await required.call(rpc.refreshSession, { refreshToken: operator.tokens.refreshToken }),
    );
    expect(await list(bearerOf(refreshed.tokens!))).toBe('TOTP_ENROLMENT_REQUIRED');
  });

  it('with STAFF_TOTP=required, staff who are not enrolled look up only themselves', async () => {
    expect(await get(operator.bearer)).toBe('ok');
    expect(await get(operator.bearer, operator.id)).toBe('ok');
    expect(await get(operator.bearer, customer.id)).toBe('TOTP_ENROLMENT_REQUIRED');
    expect(await get(operator.bearer, customer.id, optional)).toBe('ok');
    const status = await required.call(rpc.getTotpStatus, {}, operator.bearer);
    expect(valueOf(status)).toMatchObject({ enabled: false, required: true });
    expect(valueOf(await validate(operator.bearer)).totpEnrolmentRequired).toBe(true);
  });

  it('sign-in reports the missing second factor to staff, who may still sign out', async () => {
    const request = { email: operator.email, password, client: '', deviceToken: '' };
    const signedIn = valueOf(await required.call(rpc.signIn, request));
    expect(signedIn.totpEnrolmentRequired).toBe(true);
    expect(valueOf(await optional.call(rpc.signIn, request)).totpEnrolmentRequired).toBe(false);
    const bearer = bearerOf(signedIn.tokens!);
    expect(await list(bearer)).toBe('TOTP_ENROLMENT_REQUIRED');
    expect(reasonOf(await required.call(rpc.signOut, {}, bearer))).toBe('ok');
    expect(await get(bearer)).toBe('TOKEN_REVOKED');
  });

  it('STAFF_TOTP=required does not affect customers and their keys', async () => {
    expect(await get(customer.bearer)).toBe('ok');
    const sessions = { ...page, userId: '' };
    expect(reasonOf(await required.call(rpc.listSessions, sessions, customer.bearer))).toBe('ok');
    expect(reasonOf(await validate(await keyOf(customer, ['wallets:read'])))).toBe('ok');
  });

  it('STAFF_TOTP=required refuses API keys of staff until their owner has enrolled', async () => {
    const otto = await people.create('operator');
    const key = await keyOf(otto);
    expect(await list(key, optional)).toBe('ok');
    expect(await list(key)).toBe('TOTP_ENROLMENT_REQUIRED');
    // What those who must enrol may do, their keys may not.
    expect(await get(key)).toBe('TOTP_ENROLMENT_REQUIRED');
    expect(reasonOf(await validate(key))).toBe('TOTP_ENROLMENT_REQUIRED');
    const enrolled = await enrol(required, otto);
    expect(await list(key)).toBe('ok');
    expect(await list(enrolled.bearer)).toBe('ok');
    await forget(required, otto);
    const disabled = { password, code: appCode(enrolled.secret) };
    expect(reasonOf(await required.call(rpc.disableTotp, disabled, enrolled.bearer))).toBe('ok');
    expect(await list(key)).toBe('TOTP_ENROLMENT_REQUIRED');
    expect(await list(enrolled.bearer)).toBe('TOKEN_REVOKED');
    const { refreshToken } = enrolled.tokens;
    const { tokens } = valueOf(await required.call(rpc.refreshSession, { refreshToken }));
    expect(await list(bearerOf(tokens!))).toBe('TOTP_ENROLMENT_REQUIRED');
  });

  it('STAFF_TOTP=required records its refusals, of people and of keys', async () => {
    const ada = await enrol(required, await people.create('admin'));
    const otto = await people.create('operator');
    const key = await keyOf(otto);
    await list(otto.bearer);
    await list(key);
    const readDenied = async (): Promise<string[]> => {
      const filter = { ...{ actor: otto.id, target: '', action: '' }, pageSize: 0, pageToken: '' };
      const { events } = valueOf(await required.call(rpc.listAuditEvents, filter, ada.bearer));
      const refused = events.filter(({ result }) => result === 'TOTP_ENROLMENT_REQUIRED');
      return refused.map(({ action }) => action).sort();
    };
    // Written after the answer.
    await expect
      .poll(readDenied, { timeout: 20_000 })
      .toEqual(['denied listUsers', 'denied validateToken']);
  });

  it('STAFF_TOTP=required holds from a change of role on, unless already enrolled', async () => {
    const ada = await enrol(required, await people.create('admin'));
    const setRole = async (who: SignedInUser, role: Role) =>
      reasonOf(await required.call(rpc.updateUser, { userId: who.id, role }, ada.bearer));
    const renew = async (who: SignedInUser) => {
      const { refreshToken } = who.tokens;
      const { tokens } = valueOf(await required.call(rpc.refreshSession, { refreshToken }));
      return { ...who, tokens: tokens!, bearer: bearerOf(tokens!) };
    };
    const plain = await people.create('customer');
    const careful = await enrol(required, await people.create('customer'));
    expect([await setRole(plain, Role.OPERATOR), await setRole(careful, Role.OPERATOR)]).toEqual([
      'ok',
      'ok',
    ]);
    expect(await list(plain.bearer)).toBe('TOKEN_REVOKED');
    const promoted = await renew(plain);
    expect(await list(promoted.bearer)).toBe('TOTP_ENROLMENT_REQUIRED');
    const prepared = await renew(careful);
    expect(await list(prepared.bearer)).toBe('ok');
    expect(await setRole(careful, Role.CUSTOMER)).toBe('ok');
    const demoted = await renew(prepared);
    expect(await get(demoted.bearer)).toBe('ok');
    const { totpEnabled } = valueOf(
      await required.call(rpc.getUser, { userId: '' }, demoted.bearer),
    ).user!;
    expect(totpEnabled).toBe(true);
  });
});
