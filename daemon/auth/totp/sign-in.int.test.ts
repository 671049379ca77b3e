import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import {
  startAuthServer,
  type Answer,
  type AuthServer,
} from '../../../tests/support/auth/server.ts';
import {
  appCode,
  enrol,
  forget,
  password,
  waitForRoom,
  wrongCode,
  type Enrolled,
} from '../../../tests/support/auth/totp.ts';
import { generateSigningKey } from '../index.ts';

const signingKeyPem = generateSigningKey();
let server: AuthServer;
/** A second daemon on the same database. */
let other: AuthServer;
const people = createPeople(() => server);
let admin: SignedInUser;
let ana: Enrolled;

beforeAll(async () => {
  server = await startAuthServer({ signingKeyPem });
  other = await startAuthServer({ signingKeyPem, database: server.database });
  admin = await people.create('admin');
  ana = await enrol(server, await people.create('operator'));
});

beforeEach(() => forget(server, ana));

afterAll(async () => {
  await other.stop();
  await server.stop();
});

type Asked = { readonly on?: AuthServer; readonly password?: string; readonly email?: string };

const signIn = (totpCode?: string, asked: Asked = {}) =>
  (asked.on ?? server).call(rpc.signIn, {
    email: asked.email ?? ana.email,
    password: asked.password ?? password,
    client: 'test',
    deviceToken: '',
    ...(totpCode === undefined ? {} : { totpCode }),
  });

const countSessions = async (): Promise<number> =>
  (await server.database.query('SELECT 1 FROM sessions WHERE user_id = $1', [ana.id])).length;
const countAttempts = async (): Promise<unknown> =>
  server.database.query('SELECT count(*) FROM attempts WHERE count > 0');
const linesOf = async (action: string) => people.audit(admin, { target: ana.id, action });

describe('a sign-in of a user with a second factor', () => {
  it('a sign-in with a second factor needs a code; without one no failure is counted', async () => {
    const [sessions, attempts] = [await countSessions(), await countAttempts()];
    for (const empty of [undefined, '', ' ']) {
      expect(await signIn(empty)).toMatchObject({
        ok: false,
        code: 16,
        reason: 'TOTP_REQUIRED',
        metadata: { field: 'totp_code' },
      });
    }
    expect(await countSessions()).toBe(sessions);
    expect(await countAttempts()).toEqual(attempts);
    expect(valueOf(await signIn(appCode(ana.secret))).user?.totpEnabled).toBe(true);
    expect(await countSessions()).toBe(sessions + 1);
  });

  it('a sign-in reveals the second factor only after the right password', async () => {
    const wrong = { password: 'not the password of ana' };
    const plain = await people.create('operator');
    const answers: Answer<unknown>[] = [];
    for (const code of [undefined, appCode(ana.secret), '000000']) {
      answers.push(await signIn(code, wrong));
      answers.push(await signIn(code, { ...wrong, email: plain.email }));
      answers.push(await signIn(code, { ...wrong, email: 'unknown@example.com' }));
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ reason: 'CREDENTIALS_INVALID' });
  });

  it('a sign-in takes the code of the step before and of the step after', async () => {
    await waitForRoom();
    for (const offset of [-1, 1]) expect((await signIn(appCode(ana.secret, offset))).ok).toBe(true);
    expect(reasonOf(await signIn(appCode(ana.secret, 3)))).toBe('TOTP_INVALID');
  });

  it('a sign-in takes a code once', async () => {
    const code = appCode(ana.secret);
    expect(reasonOf(await signIn(code))).toBe('ok');
    expect(reasonOf(await signIn(code))).toBe('TOTP_INVALID');
    expect(reasonOf(await signIn(code, { on: other }))).toBe('TOTP_INVALID');
  });

  it('concurrent sign-ins at two daemons take a code once', async () => {
    const code = appCode(ana.secret);
    const asked = Array.from({ length: 8 }, (_, i) => signIn(code, { on: i % 2 ? server : other }));
    const reasons = (await Promise.all(asked)).map(reasonOf);
    expect(reasons.filter((reason) => reason === 'ok')).toHaveLength(1);
  });

  it('a sign-in ignores a code if there is no second factor', async () => {
    const plain = await people.create('customer');
    expect(reasonOf(await signIn('123456', { email: plain.email }))).toBe('ok');
  });
});

describe('wrong codes', () => {
  it('at most five of many concurrent wrong codes are checked, at two daemons', async () => {
    const before = (await linesOf('totp.failed')).length;
    const code = wrongCode(ana.secret);
    const asked = Array.from({ length: 30 }, (_, i) =>
      signIn(code, { on: i % 2 ? server : other }),
    );
    const reasons = (await Promise.all(asked)).map(reasonOf);
    expect(reasons.filter((reason) => reason === 'TOTP_INVALID')).toHaveLength(5);
    expect(reasons.filter((reason) => reason === 'THROTTLED')).toHaveLength(25);
    const lines = await linesOf('totp.failed');
    expect(lines.length - before).toBe(5);
    expect(lines[0]).toMatchObject({ result: 'TOTP_INVALID', details: { failures: '5' } });
  });

  it('wrong codes block the right one for 15 minutes, and report the wait', async () => {
    const now = Date.now();
    const note = (failedAtMs: number[]) =>
      server.database.query('UPDATE totp_secrets SET failed_at_ms = $2 WHERE user_id = $1', [
        ana.id,
        failedAtMs,
      ]);
    await note([1, 2, 3, 4, 5].map((n) => now - n * 1000).reverse());
    const refused = await signIn(appCode(ana.secret));
    expect(refused).toMatchObject({ reason: 'THROTTLED' });
    const wait = Number(refused.ok ? NaN : refused.metadata['retryAfterSeconds']);
    expect(wait).toBeGreaterThan(800);
    expect(wait).toBeLessThanOrEqual(900);
    expect(reasonOf(await signIn(ana.recoveryCodes[9]))).toBe('THROTTLED');
    expect(reasonOf(await signIn())).toBe('TOTP_REQUIRED');
    await note([1, 2, 3, 4, 5].map(() => now - 15 * 60_000 - 1));
    expect(reasonOf(await signIn(appCode(ana.secret)))).toBe('ok');
  });

  it('codes with a wrong password do not count: other users cannot lock the account', async () => {
    for (let n = 0; n < 4; n += 1)
      await signIn(wrongCode(ana.secret), { password: 'wrong password' });
    const [row] = await server.database.query<{ failed_at_ms: unknown[] }>(
      'SELECT failed_at_ms FROM totp_secrets WHERE user_id = $1',
      [ana.id],
    );
    expect(row?.failed_at_ms).toEqual([]);
  });

  it('wrong codes dated in the future by a clock that went back lock no user out', async () => {
    const inADay = Date.now() + 86_400_000;
    const inADayStep = Math.floor(inADay / 30_000);
    await server.database.query(
      'UPDATE totp_secrets SET failed_at_ms = $2, last_step = $3 WHERE user_id = $1',
      [ana.id, Array.from({ length: 5 }, () => inADay), inADayStep],
    );
    const code = appCode(ana.secret);
    expect(reasonOf(await signIn(code))).toBe('ok');
    expect(reasonOf(await signIn(code))).toBe('TOTP_INVALID');
  });
});

describe('recovery codes', () => {
  it('each recovery code opens one sign-in, which reports how many are left', async () => {
    const [first = '', second = ''] = ana.recoveryCodes;
    expect(valueOf(await signIn(first)).recoveryCodesLeft).toBe(9);
    expect(reasonOf(await signIn(first))).toBe('TOTP_INVALID');
    const typed = ` ${second.toLowerCase().replaceAll('-', ' ')} `;
    expect(valueOf(await signIn(typed)).recoveryCodesLeft).toBe(8);
    const [line] = await linesOf('totp.recovery_used');
    expect(line?.details).toMatchObject({ recoveryCodesLeft: '8', source: '127.0.0.1' });
    expect(valueOf(await signIn(appCode(ana.secret))).recoveryCodesLeft).toBeUndefined();
  });

  it('a recovery code opens one of many concurrent sign-ins', async () => {
    const asked = Array.from({ length: 6 }, (_, i) =>
      signIn(ana.recoveryCodes[2], { on: i % 2 ? server : other }),
    );
    const reasons = (await Promise.all(asked)).map(reasonOf);
    expect(reasons.filter((reason) => reason === 'ok')).toHaveLength(1);
  });

  it('wrong recovery codes are counted with the wrong codes', async () => {
    for (let n = 0; n < 5; n += 1) {
      expect(reasonOf(await signIn(n % 2 ? '0000-0000-0000-0000-0000-0000' : 'no code'))).toBe(
        'TOTP_INVALID',
      );
    }
    expect(reasonOf(await signIn(ana.recoveryCodes[3]))).toBe('THROTTLED');
  });

  it('recovery codes are stored as hashes', async () => {
    const rows = await server.database.query('SELECT code_hash::text FROM recovery_codes');
    const text = JSON.stringify(rows);
    expect(rows.length).toBeGreaterThan(0);
    for (const code of ana.recoveryCodes) {
      expect(text).not.toContain(Buffer.from(code).toString('hex'));
    }
  });
});
