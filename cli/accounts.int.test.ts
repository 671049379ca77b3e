import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  Role,
  User,
  type ChangePasswordRequest,
  type GetUserRequest,
  type ListUsersRequest,
  type SignUpRequest,
  type UpdateUserRequest,
  type VerifyEmailRequest,
} from '../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from './test-support.ts';

const otherId = '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10';

let cli: Cli;
let server: FakeServer;
let isVerificationRequired: boolean;
let codes: VerifyEmailRequest[];
let passwords: ChangePasswordRequest[];
let lists: ListUsersRequest[];
let updates: UpdateUserRequest[];

const account = (id: string, changes: Partial<User> = {}): User =>
  User.fromPartial({
    ...{ id, email: id === userId ? 'op@example.com' : 'ana@example.com' },
    ...{ role: id === userId ? Role.ADMIN : Role.CUSTOMER, emailVerified: true },
    totpEnabled: false,
    createdAt: new Date('2026-11-22T12:00:00Z'),
    ...changes,
  });

beforeEach(async () => {
  isVerificationRequired = true;
  [codes, passwords, lists, updates] = [[], [], [], []];
  server = await startFakeServer({
    signUp: ({ email }: SignUpRequest) => ({
      user: account(otherId, { email, emailVerified: false }),
      verificationRequired: isVerificationRequired,
    }),
    verifyEmail: (request: VerifyEmailRequest) => {
      codes.push(request);
      return request.code === 'right'
        ? { user: account(otherId) }
        : refusal('VERIFICATION_CODE_INVALID', 'the code is not valid, or has expired');
    },
    changePassword: (request: ChangePasswordRequest) => {
      passwords.push(request);
      if (request.oldPassword === 'lost') return refusal('OUTCOME_UNKNOWN', 'lost');
      return request.oldPassword === 'old one'
        ? {}
        : refusal('CREDENTIALS_INVALID', 'the old password is not right');
    },
    getUser: ({ userId: id }: GetUserRequest) => ({ user: account(id === '' ? userId : id) }),
    listUsers: (request: ListUsersRequest) => {
      lists.push(request);
      if (request.email !== '') {
        const isKnown = request.email === 'ana@example.com';
        const users = isKnown ? [account(otherId, { emailVerified: false })] : [];
        return { users, nextPageToken: '' };
      }
      const users = Array.from({ length: request.pageSize }, () => account(otherId));
      return { users, nextPageToken: request.pageToken === '' ? 'two' : '' };
    },
    updateUser: (request: UpdateUserRequest) => {
      updates.push(request);
      if (request.role === Role.OPERATOR) return refusal('LAST_ADMIN', 'there is no other admin');
      const { role = Role.CUSTOMER, disabled = false } = request;
      return { user: account(request.userId, { role, disabled }) };
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, options?: Parameters<Cli['run']>[1]) =>
  cli.run(line.split(' '), options);

const answering = (isYes: boolean, questions: string[] = []) => ({
  isTerminal: true,
  prompter: {
    confirm: (question: string) => {
      questions.push(question);
      return Promise.resolve(isYes);
    },
  },
});

describe('sign-up', () => {
  const signUp = (...more: string[]) =>
    run(['sign-up --email eve@example.com --password-stdin', ...more].join(' '), { stdin: 'pw\n' });

  test('tells of the mailed code, in pipes too', async () => {
    const ran = await signUp();
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toMatch(/state +unverified/);
    expect(ran.err).toContain('a code was mailed to eve@example.com');
    expect(await signUp('--json')).toMatchObject({ exitCode: 0, err: '' });
  });

  test('says what to do next at a terminal', async () => {
    const options = { isTerminal: true, prompter: { password: () => Promise.resolve('pw') } };
    const line = 'sign-up --email eve@example.com --profile p';
    const ran = await run(line, options);
    expect(ran.err).toContain('wallet verify-email --profile p CODE');
    isVerificationRequired = false;
    const open = await run(line, options);
    expect(open.err).not.toContain('code');
    expect(open.err).toContain('wallet sign-in --profile p --email eve@example.com');
  });
});

describe('verify-email', () => {
  test('sends the code without a credential', async () => {
    const ran = await run('verify-email right --json');
    expect(JSON.parse(ran.out)).toMatchObject({ id: otherId, emailVerified: true });
    expect(codes).toEqual([{ code: 'right' }]);
  });

  test('a wrong code ends with 4, and says how to get another', async () => {
    const ran = await run('verify-email wrong --json');
    expect(ran.exitCode).toBe(4);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'VERIFICATION_CODE_INVALID' } });
    expect(ran.err).toContain('wallet sign-up');
  });
});

describe('change-password', () => {
  test('takes the old and the new from two lines of stdin', async () => {
    const ran = await run('change-password --password-stdin --json --revoke-other-sessions', {
      stdin: 'old one\r\nnew one\r\n',
    });
    expect(JSON.parse(ran.out)).toEqual({ changed: true, otherSessionsRevoked: true });
    expect(passwords).toEqual([
      { oldPassword: 'old one', newPassword: 'new one', revokeOtherSessions: true },
    ]);
  });

  test.each([
    ['one line', 'old one\n'],
    ['an empty second line', 'old one\n\n'],
    ['the same twice', 'same\nsame\n'],
  ])('%s is refused before anything is sent', async (_name, stdin) => {
    expect((await run('change-password --password-stdin', { stdin })).exitCode).toBe(2);
    expect(passwords).toEqual([]);
  });

  test('asks for the old one once and the new one twice', async () => {
    const asked: string[] = [];
    const answers = ['old one', 'new one', 'new one'];
    const password = (message: string) => Promise.resolve(answers[asked.push(message) - 1]);
    const ran = await run('change-password', { isTerminal: true, prompter: { password } });
    expect(ran).toMatchObject({ exitCode: 0, out: '' });
    expect(asked).toEqual(['Old password', 'New password', 'The same again']);
    expect(ran.err).toContain('other sessions go on');
  });

  test('a wrong old password ends with 4; an unknown outcome is sent once, and ends with 9', async () => {
    const wrong = await run('change-password --password-stdin --json', { stdin: 'no\nnew\n' });
    expect(wrong.exitCode).toBe(4);
    expect(wrong.err).toContain('check the old password');
    const lost = await run('change-password --password-stdin --json', { stdin: 'lost\nnew\n' });
    expect(lost.exitCode).toBe(9);
    expect(passwords).toHaveLength(2);
  });
});

describe('users', () => {
  test('list pages through all, with filters', async () => {
    const ran = await run('users list --all --role admin --json');
    const printed = JSON.parse(ran.out) as { items: unknown[] };
    expect(printed.items).toHaveLength(200);
    expect(printed.items[0]).toEqual({
      ...{ id: otherId, email: 'ana@example.com', role: 'customer' },
      ...{ disabled: false, emailVerified: true, createdAt: '2026-11-22T12:00:00.000Z' },
      totpEnabled: false,
    });
    expect(lists).toMatchObject([
      { pageSize: 100, pageToken: '', role: Role.ADMIN, email: '' },
      { pageSize: 100, pageToken: 'two' },
    ]);
    expect((await run('users list --role root')).exitCode).toBe(2);
  });

  test('a list that goes on says so', async () => {
    const ran = await run('users list --limit 1');
    expect(ran.err).toContain('--page-token two');
    expect(JSON.parse((await run('users list --limit 1 --json')).out)).toMatchObject({
      nextPageToken: 'two',
    });
  });

  test('show takes an id or an address, verified or not', async () => {
    const byId = await run(`users show ${otherId.toUpperCase()} --json`);
    expect(JSON.parse(byId.out)).toMatchObject({ id: otherId });
    const byAddress = await run('users show ana@example.com --timezone UTC');
    expect(byAddress.out).toContain('state    unverified\ncreated  2026-11-22 12:00:00\n');
    expect((await run('users show nobody@example.com')).exitCode).toBe(5);
    expect((await run('users show ana')).exitCode).toBe(2);
  });

  test('set-role names the account, and asks', async () => {
    const questions: string[] = [];
    const no = await run('users set-role ana@example.com admin', answering(false, questions));
    expect(no).toMatchObject({ exitCode: 130, out: '' });
    expect(questions).toEqual(['Make ana@example.com an admin?']);
    for (const shown of [
      server.address,
      'admin',
      'ana@example.com',
      otherId,
      'customer -> admin',
    ]) {
      expect(no.err).toContain(shown);
    }
    expect(updates).toEqual([]);
    const yes = await run('users set-role ana@example.com admin --json -y');
    expect(JSON.parse(yes.out)).toMatchObject({ id: otherId, role: 'admin' });
    expect(updates).toEqual([{ userId: otherId, role: Role.ADMIN, disabled: undefined }]);
  });

  test('disable and enable change nothing else', async () => {
    expect(JSON.parse((await run(`users disable ${otherId} -y --json`)).out)).toMatchObject({
      disabled: true,
    });
    expect((await run(`users enable ${otherId} -y`)).out).toMatch(/state +active/);
    expect(updates).toEqual([
      { userId: otherId, role: undefined, disabled: true },
      { userId: otherId, role: undefined, disabled: false },
    ]);
  });

  test('changes need a yes where nobody can be asked', async () => {
    for (const line of [`disable ${otherId}`, `enable ${otherId}`, `set-role ${otherId} admin`]) {
      const ran = await run(`users ${line} --json`);
      expect(ran.exitCode).toBe(2);
      expect(JSON.parse(ran.err)).toMatchObject({
        error: { reason: 'CONFIRMATION_REQUIRED', hint: 'add --yes' },
      });
    }
    expect(updates).toEqual([]);
  });

  test('one’s own account is warned about; the last admin stays', async () => {
    const ran = await run(`users set-role ${userId} operator -y`);
    expect(ran.exitCode).toBe(6);
    expect(ran.err).toContain('that you are using yourself');
    expect(ran.err).toContain('LAST_ADMIN');
    expect((await run(`users disable ${otherId} -y`)).err).toBe('');
  });
});
