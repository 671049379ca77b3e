import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  ApiKey,
  Role,
  User,
  type ChangePasswordRequest,
  type GetUserRequest,
  type ListUsersRequest,
  type RevokeAllCredentialsRequest,
  type UpdateUserRequest,
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

const otherId = '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10';

let cli: Cli;
let server: FakeServer;
let passwords: ChangePasswordRequest[];
let lists: ListUsersRequest[];
let updates: UpdateUserRequest[];
let revoked: string[];
let hasKeys: boolean;

const account = (id: string, changes: Partial<User> = {}): User =>
  User.fromPartial({
    ...{ id, email: id === userId ? 'op@example.com' : 'ana@example.com' },
    ...{ role: id === userId ? Role.ADMIN : Role.CUSTOMER, emailVerified: true },
    totpEnabled: false,
    createdAt: new Date('2026-11-22T12:00:00Z'),
    ...changes,
  });

beforeEach(async () => {
  [passwords, lists, updates, revoked] = [[], [], [], []];
  hasKeys = false;
  server = await startFakeServer({
    changePassword: (request: ChangePasswordRequest) => {
      passwords.push(request);
      if (request.oldPassword === 'lost') return refusal('OUTCOME_UNKNOWN', 'lost');
      return request.oldPassword === 'old one'
        ? {
            revokedSessions: request.revokeOtherSessions ? 2 : 0,
            keptSessions: request.revokeOtherSessions ? 0 : 2,
            revokedApiKeys: request.revokeApiKeys ? 3 : 0,
            keptApiKeys: request.revokeApiKeys ? 0 : 3,
          }
        : refusal('CREDENTIALS_INVALID', 'the old password is not right');
    },
    listApiKeys: () => ({
      apiKeys: hasKeys
        ? [60_000, 60_000, -60_000].map((leftMs) =>
            ApiKey.fromPartial({ expiresAt: new Date(Date.now() + leftMs) }),
          )
        : [],
      nextPageToken: '',
    }),
    revokeAllCredentials: ({ userId: id }: RevokeAllCredentialsRequest) => {
      revoked.push(id);
      return { revokedSessions: 2, revokedApiKeys: 3 };
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

describe('change-password', () => {
  test('change-password reads the old and the new password from two lines of stdin', async () => {
    const ran = await run('change-password --password-stdin --json --revoke-other-sessions', {
      stdin: 'old one\r\nnew one\r\n',
    });
    expect(JSON.parse(ran.out)).toEqual({
      ...{ changed: true, otherSessionsRevoked: true, revokedSessions: 2, keptSessions: 0 },
      ...{ revokedApiKeys: 0, keptApiKeys: 3 },
    });
    const sent = { oldPassword: 'old one', newPassword: 'new one', revokeApiKeys: false };
    expect(passwords).toEqual([{ ...sent, revokeOtherSessions: true }]);
  });

  test('change-password asks about active API keys, unless an option decides', async () => {
    hasKeys = true;
    const prompter = (isYes: boolean | undefined) => ({
      isTerminal: true,
      prompter: {
        password: (message: string) => Promise.resolve(message[0] === 'O' ? 'old one' : 'new one'),
        confirm: (question: string) => {
          questions.push(question);
          return Promise.resolve(isYes);
        },
      },
    });
    const questions: string[] = [];
    const yes = await run('change-password', prompter(true));
    expect(yes.err).toContain('API keys revoked: 3, kept: 0');
    expect(questions).toEqual(['2 API keys work without the password. End them too?']);
    const no = await run('change-password', prompter(false));
    expect(no.err).toContain('API keys revoked: 0, kept: 3');
    expect((await run('change-password', prompter(undefined))).exitCode).toBe(130);
    await run('change-password --revoke-api-keys', prompter(false));
    await run('change-password --no-revoke-api-keys', prompter(true));
    expect(questions).toHaveLength(3);
    expect(passwords.map(({ revokeApiKeys }) => revokeApiKeys)).toEqual([true, false, true, false]);
  });

  test.each([
    ['one line', 'old one\n'],
    ['an empty second line', 'old one\n\n'],
    ['the same twice', 'same\nsame\n'],
  ])('change-password with %s is refused before anything is sent', async (_name, stdin) => {
    expect((await run('change-password --password-stdin', { stdin })).exitCode).toBe(2);
    expect(passwords).toEqual([]);
  });

  test('change-password asks for the old password once and for the new one twice', async () => {
    const asked: string[] = [];
    const answers = ['old one', 'new one', 'new one'];
    const password = (message: string) => Promise.resolve(answers[asked.push(message) - 1]);
    const ran = await run('change-password', { isTerminal: true, prompter: { password } });
    expect(ran).toMatchObject({ exitCode: 0, out: '' });
    expect(asked).toEqual(['Old password', 'New password', 'Repeat the password']);
    expect(ran.err).toContain('other sessions ended: 0, kept: 2');
  });

  test('change-password ends with 4 for a wrong password, 9 for an unknown outcome', async () => {
    const wrong = await run('change-password --password-stdin --json', { stdin: 'no\nnew\n' });
    expect(wrong.exitCode).toBe(4);
    expect(wrong.err).toContain('check the old password');
    const lost = await run('change-password --password-stdin --json', { stdin: 'lost\nnew\n' });
    expect(lost.exitCode).toBe(9);
    expect(passwords).toHaveLength(2);
  });
});

describe('users', () => {
  test('users list --all fetches all pages, with its filters', async () => {
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

  test('users list --limit names the token of the next page', async () => {
    const ran = await run('users list --limit 1');
    expect(ran.err).toContain('--page-token two');
    expect(JSON.parse((await run('users list --limit 1 --json')).out)).toMatchObject({
      nextPageToken: 'two',
    });
  });

  test('users show takes an id or an address, verified or not', async () => {
    const byId = await run(`users show ${otherId.toUpperCase()} --json`);
    expect(JSON.parse(byId.out)).toMatchObject({ id: otherId });
    const byAddress = await run('users show ana@example.com --timezone UTC');
    expect(byAddress.out).toContain('state    unverified\ncreated  2026-11-22 12:00:00\n');
    expect((await run('users show unknown@example.com')).exitCode).toBe(5);
    expect((await run('users show ana')).exitCode).toBe(2);
  });

  test('users set-role shows the account and both roles, and asks', async () => {
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

  test('users disable and users enable change nothing else', async () => {
    expect(JSON.parse((await run(`users disable ${otherId} -y --json`)).out)).toMatchObject({
      disabled: true,
    });
    expect((await run(`users enable ${otherId} -y`)).out).toMatch(/state +active/);
    expect(updates).toEqual([
      { userId: otherId, role: undefined, disabled: true },
      { userId: otherId, role: undefined, disabled: false },
    ]);
  });

  test('users disable, enable and set-role need --yes without a terminal', async () => {
    for (const line of [`disable ${otherId}`, `enable ${otherId}`, `set-role ${otherId} admin`]) {
      const ran = await run(`users ${line} --json`);
      expect(ran.exitCode).toBe(2);
      expect(JSON.parse(ran.err)).toMatchObject({
        error: { reason: 'CONFIRMATION_REQUIRED', hint: 'run again with --yes' },
      });
    }
    expect(updates).toEqual([]);
  });

  test('users revoke-all ends sessions and API keys of an account, once confirmed', async () => {
    const questions: string[] = [];
    const no = await run('users revoke-all ana@example.com', answering(false, questions));
    expect(no.exitCode).toBe(130);
    expect(questions).toEqual(['End all sessions and API keys of ana@example.com?']);
    expect((await run('users revoke-all ana@example.com --json')).exitCode).toBe(2);
    expect(revoked).toEqual([]);
    const yes = await run('users revoke-all ana@example.com --json -y');
    expect(JSON.parse(yes.out)).toEqual({
      ...{ userId: otherId, revokedSessions: 2, revokedApiKeys: 3 },
    });
    const own = await run('users revoke-all -y');
    expect(own.err).toContain('the session in use is among them');
    expect(revoked).toEqual([otherId, userId]);
  });

  test('users set-role of the own account warns, and reports LAST_ADMIN', async () => {
    const ran = await run(`users set-role ${userId} operator -y`);
    expect(ran.exitCode).toBe(6);
    expect(ran.err).toContain('that you are signed in with');
    expect(ran.err).toContain('LAST_ADMIN');
    expect((await run(`users disable ${otherId} -y`)).err).toBe('');
  });
});
