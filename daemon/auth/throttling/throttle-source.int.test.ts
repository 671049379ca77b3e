import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Result } from '../../../core/reasons.ts';
import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import { createPeople, impatientMs, password, reasonOf, tally } from './test-support.ts';

let server: AuthServer;
let people: ReturnType<typeof createPeople>;

beforeAll(async () => {
  server = await startAuthServer();
  people = createPeople(server);
});

afterAll(() => server.stop());

const impatient = { timeoutMs: impatientMs };

/** So many failures at once, at accounts of their own. */
const fail = (source: string, times: number) =>
  Promise.all(
    Array.from({ length: times }, () => people.signIn(people.newEmail(), 'wrong', { source })),
  );

const block = (seconds: number) =>
  server.database.query(
    `UPDATE attempts SET blocked_until = clock_timestamp() + $1 * interval '1 second'
     WHERE count >= 100`,
    [seconds],
  );

describe('a source', () => {
  it('a source is slowed down after a hundred failures across all accounts', async () => {
    const source = people.newSource();
    const email = await people.customer();
    const deviceToken = await people.deviceOf(email);
    await fail(source, 100);
    await block(1);
    expect(reasonOf(await people.signIn(email, password, { source, ...impatient }))).toBe(
      'THROTTLED',
    );
    // Neither other sources, nor known devices, pay for it.
    expect(reasonOf(await people.signIn(email, password, impatient))).toBe('ok');
    const known = { source, deviceToken, ...impatient };
    expect(reasonOf(await people.signIn(email, password, known))).toBe('ok');
    // A caller who waits for some seconds is admitted.
    expect(reasonOf(await people.signIn(email, password, { source }))).toBe('ok');
    await people.pass(601);
    expect(await people.guess(people.newEmail(), 1, { source, ...impatient })).toEqual([
      'CREDENTIALS_INVALID',
    ]);
  });

  it('a source in IPv6 is a network of 64 bits', async () => {
    await fail('2001:db8:1:2::1', 100);
    await block(1);
    const same = { source: '2001:db8:1:2:3:4:5:6', ...impatient };
    expect(await people.guess(people.newEmail(), 1, same)).toEqual(['THROTTLED']);
    const next = { source: '2001:db8:1:3::1', ...impatient };
    expect(await people.guess(people.newEmail(), 1, next)).toEqual(['CREDENTIALS_INVALID']);
  });

  it('a source in IPv6 counts against one account by 48 bits', async () => {
    const email = people.newEmail();
    for (let i = 0; i < 5; i += 1) await people.guess(email, 1, { source: `2001:db8:9:${i}::1` });
    await server.database.query(
      `UPDATE attempts SET blocked_until = clock_timestamp() + interval '3 seconds'
       WHERE count = 5 AND expires_at > now() + interval '20 hours'`,
    );
    const same = { source: '2001:db8:9:77::1', ...impatient };
    expect(await people.guess(email, 1, same)).toEqual(['THROTTLED']);
    const other = { source: '2001:db8:a::1' };
    expect(await people.guess(email, 1, other)).toEqual(['CREDENTIALS_INVALID']);
  });

  it('a source may sign up a hundred times an hour, and this host without a limit', async () => {
    const bad = { email: people.newEmail(), password: 'short' };
    const source = people.newSource();
    for (let i = 0; i < 3; i += 1) await server.callFrom(source, rpc.signUp, bad);
    const results: Result<unknown>[] = [];
    for (let i = 0; i < 101; i += 1) {
      const email = people.newEmail();
      results.push(await server.callFrom(source, rpc.signUp, { email, password }));
    }
    expect(tally(results)).toEqual({ ok: 100, THROTTLED: 1 });
    for (let i = 0; i < 101; i += 1) {
      const email = people.newEmail();
      expect(reasonOf(await server.callFrom('::1', rpc.signUp, { email, password }))).toBe('ok');
    }
  });

  const guess = (code: string) => ({ code, signUpToken: '', password });

  it('a source may try a hundred mailed codes without a wait, and is throttled then', async () => {
    const source = people.newSource();
    const results: Result<unknown>[] = [];
    for (let i = 0; i < 100; i += 1) {
      results.push(await server.callFrom(source, rpc.verifyEmail, guess(`code ${i}`)));
    }
    await block(1);
    results.push(await server.callFrom(source, rpc.verifyEmail, guess('late'), impatientMs));
    expect(tally(results)).toEqual({ VERIFICATION_CODE_INVALID: 100, THROTTLED: 1 });
    const waiting = await server.callFrom(source, rpc.verifyEmail, guess('patient'));
    expect(reasonOf(waiting)).toBe('VERIFICATION_CODE_INVALID');
  });
});
