import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type {
  BeginTotpRequest,
  DisableTotpRequest,
  EnableTotpRequest,
  SignInRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const recoveryCodes = Array.from({ length: 10 }, (_, i) => `AAAA-BBBB-CCCC-000${i}`);
const user = { id: userId, email: 'op@example.com', role: 2, disabled: false, emailVerified: true };
const password = 'right password';
const rightCode = '123456';

let cli: Cli;
let server: FakeServer;
/** The codes of sign-ins, as they came. */
let codes: (string | undefined)[];
let isEnrolmentRequired: boolean;

const tokens = () => ({
  accessToken: 'access',
  accessTokenExpiresAt: new Date(Date.now() + 900_000),
  refreshToken: 'refresh',
  sessionExpiresAt: new Date(Date.now() + 9_000_000),
  sessionId: 's',
});

const signIn = ({ password: typed, totpCode = '' }: SignInRequest) => {
  codes.push(totpCode);
  if (typed !== password) return refusal('CREDENTIALS_INVALID', 'e-mail or password is not right');
  if (totpCode === '') return refusal('TOTP_REQUIRED', 'a code is needed too');
  if (![rightCode, recoveryCodes[0]].includes(totpCode)) {
    return refusal('TOTP_INVALID', 'the code is wrong, or was used before');
  }
  const left = totpCode === rightCode ? {} : { recoveryCodesLeft: 9 };
  return {
    ...{ tokens: tokens(), user, deviceToken: '', totpEnrolmentRequired: isEnrolmentRequired },
    ...left,
  };
};

beforeEach(async () => {
  codes = [];
  isEnrolmentRequired = false;
  server = await startFakeServer({
    signIn,
    beginTotp: ({ password: typed }: BeginTotpRequest) =>
      typed === password
        ? { secret: 'GEZDGNBV', uri: 'otpauth://totp/x?secret=GEZDGNBV', expiresAt: new Date(4e12) }
        : refusal('CREDENTIALS_INVALID', 'the password is not right', { field: 'password' }),
    enableTotp: ({ code }: EnableTotpRequest) => {
      codes.push(code);
      return code === rightCode
        ? { recoveryCodes, revokedSessions: 2 }
        : refusal('TOTP_INVALID', 'the code is wrong', { field: 'code' });
    },
    disableTotp: (request: DisableTotpRequest) =>
      request.password === password && request.code === rightCode
        ? { revokedSessions: 1 }
        : refusal('TOTP_INVALID', 'the code is wrong', { field: 'code' }),
    regenerateRecoveryCodes: (request: DisableTotpRequest) =>
      request.password === password && request.code === rightCode
        ? { recoveryCodes }
        : refusal('CREDENTIALS_INVALID', 'the password is not right', { field: 'password' }),
    getTotpStatus: () => ({
      ...{ enabled: true, enabledAt: new Date(0), required: true, recoveryCodesLeft: 7 },
    }),
  });
  cli = await createCli({ WALLET_SERVER: server.address });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const signInArgs = ['sign-in', '--email', 'op@example.com', '--insecure-storage', '--no-color'];
const env = { WALLET_TOKEN: fakeToken() };

/** Answers questions in turn; one more than there are answers fails the test. */
function answering(...answers: string[]) {
  const questions: string[] = [];
  return {
    questions,
    prompter: {
      password: (message: string) => {
        questions.push(message);
        const answer = answers.shift();
        return answer === undefined ? Promise.reject(new Error(message)) : Promise.resolve(answer);
      },
    },
  };
}

describe('sign-in with a second factor', () => {
  test('sign-in asks for the password first, and then for the TOTP code', async () => {
    const asked = answering(password, rightCode);
    const ran = await cli.run(signInArgs, { isTerminal: true, prompter: asked.prompter });
    expect(ran.exitCode).toBe(0);
    expect(asked.questions).toEqual([
      'Password',
      'Code of your authenticator app, or a recovery code',
    ]);
    expect(codes).toEqual(['', rightCode]);
  });

  test('sign-in asks for a TOTP code again if it is wrong, three times in all', async () => {
    const asked = answering(password, '1', '2', '3');
    const ran = await cli.run(signInArgs, { isTerminal: true, prompter: asked.prompter });
    expect(ran.exitCode).toBe(4);
    expect(ran.err).toContain('the code is wrong, or was used before');
    expect(codes).toEqual(['', '1', '2', '3']);
  });

  test('sign-in with a wrong password does not ask for a TOTP code', async () => {
    const asked = answering('wrong password');
    const ran = await cli.run(signInArgs, { isTerminal: true, prompter: asked.prompter });
    expect(ran.exitCode).toBe(4);
    expect(ran.err).toContain('e-mail or password is not right');
  });

  test('sign-in --totp-stdin reads two lines, with or without --password-stdin', async () => {
    for (const flags of [['--totp-stdin'], ['--password-stdin', '--totp-stdin']]) {
      const stdin = `${password}\n${rightCode}\n`;
      const ran = await cli.run([...signInArgs, '--json', ...flags], { stdin });
      expect(ran.exitCode).toBe(0);
    }
    expect(codes).toEqual([rightCode, rightCode]);
  });

  test('sign-in --totp-stdin with one line ends with exit code 2 and sends no code', async () => {
    const ran = await cli.run([...signInArgs, '--json', '--totp-stdin'], {
      stdin: `${password}\n`,
    });
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain('two lines: the password, then the code');
    expect(codes).toEqual([]);
  });

  test.each([['--json'], ['--no-input']])('sign-in %s requires --totp-stdin', async (flag) => {
    const ran = await cli.run([...signInArgs, flag, '--password-stdin'], {
      stdin: `${password}\n`,
    });
    expect(ran.exitCode).toBe(4);
    expect(ran.err).toContain('--password-stdin --totp-stdin');
    expect(codes).toEqual(['']);
  });

  test('sign-in with a recovery code reports how many are left', async () => {
    const stdin = `${password}\n${recoveryCodes[0]}\n`;
    const ran = await cli.run([...signInArgs, '--totp-stdin'], { stdin });
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toContain('9 are left');
    expect(ran.err).toContain('wallet totp recovery-codes');
  });

  test('sign-in names totp enable if the server requires enrolment', async () => {
    isEnrolmentRequired = true;
    const stdin = `${password}\n${rightCode}\n`;
    const ran = await cli.run([...signInArgs, '--totp-stdin'], { stdin });
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toContain('wallet totp enable');
  });

  test('sign-in refuses --with-token together with --totp-stdin', async () => {
    const ran = await cli.run(['sign-in', '--with-token', '--totp-stdin'], { stdin: 'x\ny\n' });
    expect(ran.exitCode).toBe(2);
  });
});

describe('totp enable', () => {
  test('totp enable at a terminal prints the secret, and then the recovery codes', async () => {
    const asked = answering(password, '000000', rightCode);
    const ran = await cli.run(['totp', 'enable', '--no-color'], {
      ...{ env, isTerminal: true, prompter: asked.prompter },
    });
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toContain('GEZDGNBV');
    expect(ran.out).toContain('otpauth://totp/x?secret=GEZDGNBV');
    expect(ran.out.endsWith(recoveryCodes.map((code) => `${code}\n`).join(''))).toBe(true);
    expect(codes).toEqual(['000000', rightCode]);
  });

  test('totp enable in scripts begins with the password, and confirms with the code', async () => {
    const begun = await cli.run(['totp', 'enable', '--password-stdin', '--json', '--quiet'], {
      ...{ env, stdin: `${password}\n` },
    });
    expect(begun).toMatchObject({ exitCode: 0, err: '' });
    expect(JSON.parse(begun.out)).toEqual({
      secret: 'GEZDGNBV',
      uri: 'otpauth://totp/x?secret=GEZDGNBV',
      expiresAt: new Date(4e12).toISOString(),
    });
    const confirmed = await cli.run(['totp', 'enable', '--totp-stdin', '--json', '--quiet'], {
      ...{ env, stdin: `${rightCode}\n` },
    });
    expect(JSON.parse(confirmed.out)).toEqual({ enabled: true, revokedSessions: 2, recoveryCodes });
    const both = ['totp', 'enable', '--totp-stdin', '--password-stdin'];
    expect((await cli.run(both, { env, stdin: 'x\ny\n' })).exitCode).toBe(2);
  });

  test('totp enable with a wrong password ends with exit code 4 and says so', async () => {
    const ran = await cli.run(['totp', 'enable', '--password-stdin'], { env, stdin: 'wrong\n' });
    expect(ran.exitCode).toBe(4);
    expect(ran.err).toContain('check the password; nothing was changed');
  });

  test('totp enable ends with exit code 1 if its recovery codes cannot be written', async () => {
    const ran = await cli.run(['totp', 'enable', '--totp-stdin', '--json'], {
      ...{ env, stdin: `${rightCode}\n` },
      stdoutFault: { kind: 'failed', message: 'no space left on device' },
    });
    expect(ran.exitCode).toBe(1);
    expect(ran.err).toContain('wallet totp recovery-codes');
  });
});

describe('totp disable, recovery-codes, status', () => {
  const stdin = `${password}\n${rightCode}\n`;

  test('totp disable takes password and code, from stdin or a prompt', async () => {
    const ran = await cli.run(['totp', 'disable', '--totp-stdin', '--json'], { env, stdin });
    expect(JSON.parse(ran.out)).toEqual({ enabled: false, revokedSessions: 1 });
    const wrong = { env, stdin: `${password}\n000000\n` };
    expect((await cli.run(['totp', 'disable', '--totp-stdin'], wrong)).exitCode).toBe(4);
    const asked = answering(password, rightCode);
    const options = { env, isTerminal: true, prompter: asked.prompter };
    expect((await cli.run(['totp', 'disable'], options)).exitCode).toBe(0);
  });

  test('totp recovery-codes prints new recovery codes', async () => {
    const args = ['totp', 'recovery-codes', '--password-stdin', '--totp-stdin'];
    const ran = await cli.run([...args, '--json'], { env, stdin });
    expect(JSON.parse(ran.out)).toEqual({ recoveryCodes });
    const table = await cli.run(args, { env, stdin });
    expect(table.out).toBe(recoveryCodes.map((code) => `${code}\n`).join(''));
  });

  test('totp disable --no-input requires --totp-stdin', async () => {
    const ran = await cli.run(['totp', 'disable', '--no-input'], { env, isTerminal: true });
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain('--totp-stdin');
  });

  test('totp status prints its state, whether it is required, and the codes left', async () => {
    const ran = await cli.run(['totp', 'status', '--json'], { env });
    expect(JSON.parse(ran.out)).toEqual({
      ...{ enabled: true, enabledAt: new Date(0).toISOString() },
      ...{ required: true, recoveryCodesLeft: 7 },
    });
  });
});
