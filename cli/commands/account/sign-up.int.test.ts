import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  Role,
  User,
  type SignUpRequest,
  type VerifyEmailRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  createCli,
  refusal,
  startFakeServer,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const otherId = '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10';

let cli: Cli;
let server: FakeServer;
let isVerificationRequired: boolean;
let codes: VerifyEmailRequest[];

const account = (id: string, changes: Partial<User> = {}): User =>
  User.fromPartial({
    ...{ id, email: 'ana@example.com', role: Role.CUSTOMER, emailVerified: true },
    ...changes,
  });

beforeEach(async () => {
  isVerificationRequired = true;
  codes = [];
  server = await startFakeServer({
    signUp: ({ email }: SignUpRequest) => ({
      user: account(otherId, { email, emailVerified: false }),
      verificationRequired: isVerificationRequired,
      signUpToken: isVerificationRequired ? `token of ${email}` : '',
    }),
    verifyEmail: (request: VerifyEmailRequest) => {
      codes.push(request);
      return request.code === 'right' && request.signUpToken !== 'token of wrong@example.com'
        ? { user: account(otherId) }
        : refusal('VERIFICATION_CODE_INVALID', 'the code is not valid, or has expired');
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, options?: Parameters<Cli['run']>[1]) =>
  cli.run(line.split(' '), options);

describe('sign-up', () => {
  const signUp = (...more: string[]) =>
    run(['sign-up --email eve@example.com --password-stdin', ...more].join(' '), { stdin: 'pw\n' });

  test('sign-up in a pipe names the mailed code as the next step', async () => {
    const ran = await signUp();
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toMatch(/state +unverified/);
    expect(ran.err).toContain('a code was mailed to eve@example.com');
    expect(await signUp('--json')).toMatchObject({ exitCode: 0, err: '' });
  });

  test('sign-up at a terminal prints the next command, verify-email or sign-in', async () => {
    const options = { isTerminal: true, prompter: { password: () => Promise.resolve('pw') } };
    const line = 'sign-up --email eve@example.com --profile p';
    const ran = await run(line, options);
    expect(ran.err).toContain('wallet verify-email --profile p CODE --email eve@example.com');
    isVerificationRequired = false;
    const open = await run(line, options);
    expect(open.err).not.toContain('code');
    expect(open.err).toContain('wallet sign-in --profile p --email eve@example.com');
  });
});

describe('verify-email', () => {
  const signUp = (email: string) =>
    run(`sign-up --email ${email} --password-stdin`, { stdin: 'pw\n' });

  test('verify-email sends the code with the token of its sign-up, once', async () => {
    await signUp('eve@example.com');
    const ran = await run('verify-email right --json');
    expect(JSON.parse(ran.out)).toMatchObject({ id: otherId, emailVerified: true });
    expect(codes).toEqual([
      { code: 'right', signUpToken: 'token of eve@example.com', password: '' },
    ]);
    expect((await run('verify-email right --json')).exitCode).toBe(2);
    expect(codes).toHaveLength(1);
  });

  test('the sign-up token is stored in a file with mode 0600, and not printed', async () => {
    const ran = await signUp('eve@example.com');
    expect(ran.out + ran.err).not.toContain('token of');
    const [file = ''] = await readdir(join(cli.configDir, 'sign-ups'));
    expect((await stat(join(cli.configDir, 'sign-ups', file))).mode & 0o777).toBe(0o600);
  });

  test('verify-email requires --email if several sign-ups are pending', async () => {
    await signUp('eve@example.com');
    await signUp('bob@example.com');
    expect((await run('verify-email right --json')).exitCode).toBe(2);
    expect((await run('verify-email right --email BOB@example.com')).exitCode).toBe(0);
    expect(codes).toMatchObject([{ signUpToken: 'token of bob@example.com' }]);
  });

  test('verify-email without a stored sign-up needs the password, by stdin or prompt', async () => {
    expect((await run('verify-email right --json')).exitCode).toBe(2);
    const piped = await run('verify-email right --json --password-stdin', { stdin: 'pw\n' });
    expect(piped.exitCode).toBe(0);
    const prompter = { password: () => Promise.resolve('pw') };
    expect((await run('verify-email right', { isTerminal: true, prompter })).exitCode).toBe(0);
    const request = { code: 'right', signUpToken: '', password: 'pw' };
    expect(codes).toEqual([request, request]);
  });

  test('verify-email asks for the password if the code is of another sign-up', async () => {
    await signUp('wrong@example.com');
    const prompter = { password: () => Promise.resolve('pw') };
    const ran = await run('verify-email right', { isTerminal: true, prompter });
    expect(ran.exitCode).toBe(0);
    expect(codes).toMatchObject([{ password: '' }, { password: 'pw', signUpToken: '' }]);
  });

  test('verify-email with a wrong code ends with exit code 4 and names sign-up', async () => {
    const ran = await run('verify-email wrong --json --password-stdin', { stdin: 'pw\n' });
    expect(ran.exitCode).toBe(4);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'VERIFICATION_CODE_INVALID' } });
    expect(ran.err).toContain('wallet sign-up');
  });
});
