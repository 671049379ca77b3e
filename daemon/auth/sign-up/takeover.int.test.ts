import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import { createPeople, reasonOf, valueOf } from '../../../tests/support/auth/people.ts';
import { codeIn, openMailbox, type Mailbox } from '../../../tests/support/mail/mailbox.ts';
import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';

const owners = 'the password of the owner';
const attackers = 'the password of the attacker';
let mailbox: Mailbox;
let server: AuthServer;
const people = createPeople(() => server);

beforeAll(async () => {
  mailbox = await openMailbox();
  server = await startAuthServer({ mailer: mailbox.mailer });
});

afterAll(async () => {
  await server.stop();
  await mailbox.stop();
});

const signUp = async (email: string, password: string) =>
  valueOf(await server.call(rpc.signUp, { email, password }));

/** Signs up, and waits for the code that is mailed. */
async function signUpForCode(email: string, password: string) {
  const known = mailbox.to(email).length;
  const { signUpToken } = await signUp(email, password);
  return { signUpToken, code: codeIn(await mailbox.next(email, '', known)) };
}

const verify = (code: string, secret: { password?: string; signUpToken?: string }) =>
  server.call(rpc.verifyEmail, { code, password: '', signUpToken: '', ...secret });
const signIn = (email: string, password: string) => people.trySignIn(email, password);

describe('sign-up with another user’s address', () => {
  it.each(['password', 'sign-up token'])(
    'an attacker gets no account when the owner enters the newest code with the %s of their own',
    async (kind) => {
      const email = people.newEmail();
      const own = await signUpForCode(email, owners);
      const newest = await signUpForCode(email, attackers);
      const secret = kind === 'password' ? { password: owners } : { signUpToken: own.signUpToken };
      await verify(newest.code, secret);
      expect(reasonOf(await signIn(email, attackers))).toBe('CREDENTIALS_INVALID');
      expect(reasonOf(await signIn(email, owners))).toBe('ok');
    },
  );

  it('an attacker gets no account when an owner who never signed up enters the code', async () => {
    const email = people.newEmail();
    const { code } = await signUpForCode(email, attackers);
    const verified = await verify(code, { password: owners });
    expect(reasonOf(verified)).toBe('VERIFICATION_CODE_INVALID');
    expect(reasonOf(await signIn(email, attackers))).not.toBe('ok');
  });

  it('an attacker does not void the code and the password of an earlier sign-up', async () => {
    const email = people.newEmail();
    const own = await signUpForCode(email, owners);
    await signUpForCode(email, attackers);
    expect(reasonOf(await verify(own.code, { password: owners }))).toBe('ok');
    expect(reasonOf(await signIn(email, owners))).toBe('ok');
    expect(reasonOf(await signIn(email, attackers))).toBe('CREDENTIALS_INVALID');
  });

  it('an attacker who uses up the mails of an hour does not block the owner', async () => {
    const email = people.newEmail();
    for (let i = 0; i < 3; i += 1) await signUpForCode(email, attackers);
    const { signUpToken } = await signUp(email, owners);
    expect(mailbox.to(email)).toHaveLength(3);
    const code = codeIn(mailbox.to(email)[1] ?? '');
    expect(reasonOf(await verify(code, { signUpToken }))).toBe('ok');
    expect(reasonOf(await signIn(email, owners))).toBe('ok');
  });

  it('an attacker with many networks of one provider does not keep the owner out', async () => {
    const email = people.newEmail();
    for (let i = 0; i < 8; i += 1) {
      const request = { email, password: attackers };
      const answer = await server.callFrom(`2001:db8:9:${i}::1`, rpc.signUp, request);
      expect(answer.ok).toBe(true);
    }
    const { signUpToken } = await signUp(email, owners);
    const code = codeIn(await mailbox.next(email, '', 0));
    expect(reasonOf(await verify(code, { signUpToken }))).toBe('ok');
    expect(reasonOf(await signIn(email, owners))).toBe('ok');
  });

  it('a mail to an address with shell metacharacters quotes it in its command', async () => {
    const email = 'ana+`id`&x@example.com';
    await signUp(email, owners);
    expect(await mailbox.next(email, '', 0)).toContain(`--email '${email}'`);
  });

  it('an attacker cannot learn by a sign-in whether the address has an account', async () => {
    const [free, taken] = [people.newEmail(), (await people.create('customer')).email];
    const answers = [];
    for (const email of [free, taken]) {
      await signUp(email, attackers);
      answers.push(await signIn(email, attackers), await signIn(email, 'a wrong password'));
    }
    expect(answers[2]).toEqual(answers[0]);
    expect(answers[3]).toEqual(answers[1]);
  });
});
