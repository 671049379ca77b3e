import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type {
  RefreshSessionRequest,
  SignInRequest,
  TokenSet,
  ValidateTokenRequest,
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

const minuteMs = 60_000;
const user = {
  id: userId,
  email: 'ana@example.com',
  role: 1,
  disabled: false,
  emailVerified: true,
};

let cli: Cli;
let server: FakeServer;
let calls: string[];
/** The access token that the server takes now. */
let current: string;
let lifetimeMs: number;

const issue = (): TokenSet => ({
  accessToken: (current = `access-${calls.length}`),
  accessTokenExpiresAt: new Date(Date.now() + lifetimeMs),
  refreshToken: `refresh-${calls.length}`,
  sessionExpiresAt: new Date(Date.now() + 1000 * minuteMs),
  sessionId: 's',
});

beforeEach(async () => {
  calls = [];
  current = '';
  lifetimeMs = 15 * minuteMs;
  server = await startFakeServer({
    signIn: ({ password }: SignInRequest) => {
      calls.push('signIn');
      return password === 'right password'
        ? { tokens: issue(), user, deviceToken: '' }
        : refusal('CREDENTIALS_INVALID', 'e-mail or password is not right');
    },
    refreshSession: ({ refreshToken }: RefreshSessionRequest) => {
      calls.push(`refresh ${refreshToken}`);
      return { tokens: issue(), user };
    },
    signOut: () => {
      calls.push('signOut');
      return {};
    },
    getUser: (_request: unknown, { metadata }) => {
      const token = metadata.get('authorization')[0]?.toString().slice('Bearer '.length);
      calls.push('getUser');
      return token === current ? { user } : refusal('TOKEN_EXPIRED', 'the token has expired');
    },
    listSessions: () => ({ sessions: [], nextPageToken: '' }),
    validateToken: ({ accessToken }: ValidateTokenRequest) => {
      calls.push('validateToken');
      return accessToken === current
        ? { userId, role: 1, sessionId: '', expiresAt: new Date(4e12) }
        : refusal('TOKEN_REVOKED', 'this API key has been revoked');
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const signIn = (...options: string[]) =>
  cli.run(['sign-in', '--email', 'ana@example.com', '--password-stdin', '--json', ...options], {
    stdin: 'right password\n',
  });

/** The files of stored credentials. */
const listStored = (): Promise<string[]> =>
  readdir(join(cli.configDir, 'credentials')).catch(() => []);

/** Makes the stored access token look as if it had ended. */
async function expireStored(): Promise<void> {
  const dir = join(cli.configDir, 'credentials');
  const [name = ''] = await readdir(dir);
  const text = await readFile(join(dir, name), 'utf8');
  const ended = text.replace(/"accessTokenExpiresAtMs":\d+/, '"accessTokenExpiresAtMs":1');
  expect(ended).not.toBe(text);
  await writeFile(join(dir, name), ended);
}

describe('sign-in', () => {
  test('sign-in and whoami warn of a session in a plain file, other commands do not', async () => {
    const ran = await signIn('--insecure-storage');
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toContain('stored in a plain file');
    expect(await cli.run(['sessions', 'list', '--json'])).toMatchObject({ exitCode: 0, err: '' });
    expect(JSON.parse(ran.out)).toMatchObject({
      user: { id: userId, email: 'ana@example.com', role: 'customer' },
      profile: 'default',
      server: server.address,
      credential: { source: 'file' },
    });
    const again = await cli.run(['whoami', '--json']);
    expect(again.exitCode).toBe(0);
    expect(JSON.parse(again.err)).toMatchObject({ warning: {} });
    expect((await cli.run(['whoami', '--json', '--quiet'])).err).toBe('');
  });

  test('sign-in with a wrong password ends with exit code 4 and stores no session', async () => {
    const argv = ['sign-in', '--email', 'a@example.com', '--password-stdin', '--insecure-storage'];
    const ran = await cli.run(argv, { stdin: 'wrong\n' });
    expect(ran.exitCode).toBe(4);
    expect((await cli.run(['whoami'])).err).toContain('not signed in');
  });

  test('sign-in without a keychain fails before the password is sent', async () => {
    const ran = await signIn();
    expect(ran.exitCode).toBe(4);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'KEYCHAIN_UNAVAILABLE' } });
    expect(ran.err).toContain('--insecure-storage');
    expect(calls).toEqual([]);
  });

  test('sign-in --json asks for no password, and requires --password-stdin', async () => {
    const ran = await cli.run(
      ['sign-in', '--email', 'a@example.com', '--insecure-storage', '--json'],
      {
        isTerminal: true,
      },
    );
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain('--password-stdin');
  });

  test('sign-in --server stores that server in the profile', async () => {
    await signIn('--insecure-storage', '--profile', 'p', '--server', server.address);
    const got = await cli.run(['config', 'get', 'server', '--profile', 'p'], {
      env: { WALLET_SERVER: '' },
    });
    expect(got.out).toBe(`${server.address}\n`);
  });

  test('sign-in --server warns if the profile has a session or server elsewhere', async () => {
    await signIn('--insecure-storage');
    const other = await startFakeServer({
      signIn: () => ({ tokens: issue(), user, deviceToken: '' }),
    });
    const options = ['--insecure-storage', '--server', other.address, '--quiet'];
    const ran = await signIn(...options);
    expect(ran.exitCode).toBe(0);
    expect(JSON.parse(ran.err.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      warning: { message: expect.stringContaining(server.address) as string },
    });
    const back = await signIn('--insecure-storage', '--server', server.address, '--quiet');
    other.crash();
    expect(back.err).toContain(`keeps its server ${other.address}`);
  });

  test.each([['--email', 'a@example.com'], ['--password-stdin'], ['--totp-stdin']])(
    'sign-in --with-token takes neither address nor password: %s is refused',
    async (...others) => {
      current = 'key-1';
      const argv = ['sign-in', '--with-token', ...others, '--insecure-storage', '--json'];
      const ran = await cli.run(argv, { stdin: 'key-1\n' });
      expect(ran.exitCode).toBe(2);
      expect(JSON.parse(ran.err)).toMatchObject({
        error: { reason: 'USAGE', field: 'with_token' },
      });
      expect(calls).toEqual([]);
      expect(await listStored()).toEqual([]);
    },
  );

  test('sign-up asks three times for a new password if its repetition differs', async () => {
    const asked: string[] = [];
    const prompter = {
      password: (message: string) => {
        asked.push(message);
        return Promise.resolve(`password ${asked.length}`);
      },
    };
    const argv = ['sign-up', '--email', 'a@example.com', '--no-color'];
    const ran = await cli.run(argv, { isTerminal: true, prompter });
    expect(ran.exitCode).toBe(2);
    expect(asked).toHaveLength(6);
    expect(ran.err).toContain('error: the two passwords are not the same');
  });

  test('sign-in --with-token stores a token that the server accepts', async () => {
    current = 'key-1';
    const ran = await cli.run(['sign-in', '--with-token', '--insecure-storage', '--json'], {
      stdin: 'key-1\n',
    });
    expect(ran.exitCode).toBe(0);
    expect(await listStored()).toHaveLength(1);
    expect((await cli.run(['whoami', '--json'])).exitCode).toBe(0);
  });

  test('sign-in --with-token does not store a token that the server refuses', async () => {
    const ran = await cli.run(['sign-in', '--with-token', '--insecure-storage', '--json'], {
      stdin: 'key-1\n',
    });
    expect(ran).toMatchObject({ exitCode: 4, out: '' });
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'TOKEN_REVOKED' } });
    expect(calls).toEqual(['validateToken']);
    expect(await listStored()).toEqual([]);
    expect((await cli.run(['whoami'])).err).toContain('not signed in');
  });
});

describe('stored sessions', () => {
  test('a stored session is refreshed silently if its access token has expired', async () => {
    await signIn('--insecure-storage');
    await expireStored();
    const ran = await cli.run(['whoami', '--json', '--quiet']);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(calls).toEqual(['signIn', 'refresh refresh-1', 'getUser']);
  });

  test('an expired access token is refreshed once by four concurrent commands', async () => {
    await signIn('--insecure-storage');
    await expireStored();
    const all = await Promise.all([1, 2, 3, 4].map(() => cli.run(['whoami', '--json'])));
    expect(all.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(calls.filter((call) => call.startsWith('refresh'))).toEqual(['refresh refresh-1']);
  });

  test('an access token that the server reports as expired is refreshed', async () => {
    await signIn('--insecure-storage');
    current = 'another';
    const ran = await cli.run(['whoami', '--json']);
    expect(ran.exitCode).toBe(0);
    expect(calls).toEqual(['signIn', 'getUser', 'refresh refresh-1', 'getUser']);
  });

  test('sign-out ends the session at the server, and removes it locally', async () => {
    await signIn('--insecure-storage');
    const ran = await cli.run(['sign-out', '--json']);
    expect(JSON.parse(ran.out)).toMatchObject({ revoked: true });
    expect(calls).toEqual(['signIn', 'signOut']);
    expect(await readdir(join(cli.configDir, 'credentials'))).toEqual([]);
    expect((await cli.run(['whoami'])).exitCode).toBe(4);
  });

  test('sign-out without its keychain warns of the valid session, and keeps it', async () => {
    await signIn('--insecure-storage');
    const dir = join(cli.configDir, 'accounts');
    const [name = ''] = await readdir(dir);
    const record = JSON.parse(await readFile(join(dir, name), 'utf8')) as object;
    await writeFile(join(dir, name), JSON.stringify({ ...record, storage: 'keychain' }));
    const ran = await cli.run(['sign-out', '--json']);
    expect(ran).toMatchObject({ exitCode: 4, out: '' });
    expect(ran.err).toContain('remains valid at the server');
    expect(ran.err).toContain('wallet sessions revoke ID');
    expect(await readdir(dir)).toEqual([name]);
    expect(calls).toEqual(['signIn']);
  });

  test('sign-out without the server warns, and removes the session locally', async () => {
    await signIn('--insecure-storage');
    server.crash();
    const ran = await cli.run(['sign-out']);
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toContain('not ended at the server');
    expect(await readdir(join(cli.configDir, 'credentials'))).toEqual([]);
  });
});

describe('WALLET_TOKEN', () => {
  test('WALLET_TOKEN overrides the stored session and is never refreshed', async () => {
    await signIn('--insecure-storage');
    const env = { WALLET_TOKEN: fakeToken() };
    const ran = await cli.run(['whoami', '--json'], { env });
    expect(ran.exitCode).toBe(4);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'TOKEN_EXPIRED' } });
    expect(ran.err).toContain('WALLET_TOKEN');
    expect(calls).toEqual(['signIn', 'getUser']);
    current = env.WALLET_TOKEN;
    const taken = await cli.run(['whoami', '--json'], { env });
    expect(JSON.parse(taken.out)).toMatchObject({
      credential: { source: 'WALLET_TOKEN', expiresAt: new Date(4e12).toISOString() },
    });
  });
});
