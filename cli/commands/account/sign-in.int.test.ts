import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type {
  RefreshSessionRequest,
  SignInRequest,
  TokenSet,
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
    validateToken: () => ({ userId, role: 1, sessionId: '', expiresAt: new Date(4e12) }),
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

/** Makes the stored access token look as if it had ended. */
async function expireStored(): Promise<void> {
  const dir = join(cli.configDir, 'credentials');
  const [name = ''] = await readdir(dir);
  const secret = JSON.parse(await readFile(join(dir, name), 'utf8')) as object;
  await writeFile(join(dir, name), JSON.stringify({ ...secret, accessTokenExpiresAtMs: 1 }));
}

describe('sign-in', () => {
  test('--insecure-storage keeps the session in a file, with a warning each time', async () => {
    const ran = await signIn('--insecure-storage');
    expect(ran.exitCode).toBe(0);
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

  test('a wrong password ends with 4, and nothing is stored', async () => {
    const argv = ['sign-in', '--email', 'a@example.com', '--password-stdin', '--insecure-storage'];
    const ran = await cli.run(argv, { stdin: 'wrong\n' });
    expect(ran.exitCode).toBe(4);
    expect((await cli.run(['whoami'])).err).toContain('not signed in');
  });

  test('without a keychain it fails before the password is sent', async () => {
    const ran = await signIn();
    expect(ran.exitCode).toBe(4);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'KEYCHAIN_UNAVAILABLE' } });
    expect(ran.err).toContain('--insecure-storage');
    expect(calls).toEqual([]);
  });

  test('--json does not ask for a password', async () => {
    const ran = await cli.run(
      ['sign-in', '--email', 'a@example.com', '--insecure-storage', '--json'],
      {
        isTerminal: true,
      },
    );
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain('--password-stdin');
  });

  test('a server named by flag becomes the profile’s', async () => {
    await signIn('--insecure-storage', '--profile', 'p', '--server', server.address);
    const got = await cli.run(['config', 'get', 'server', '--profile', 'p'], {
      env: { WALLET_SERVER: '' },
    });
    expect(got.out).toBe(`${server.address}\n`);
  });

  test('a profile with a session elsewhere does not change its server silently', async () => {
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

  test('--with-token takes no address and no password', async () => {
    const ran = await cli.run(['sign-in', '--with-token', '--email', 'a@example.com', '--json']);
    expect(ran.exitCode).toBe(2);
  });

  test('new passwords that differ are asked for again, three times', async () => {
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

  test('--with-token stores a token that the server knows', async () => {
    current = 'key-1';
    const ran = await cli.run(['sign-in', '--with-token', '--insecure-storage', '--json'], {
      stdin: 'key-1\n',
    });
    expect(ran.exitCode).toBe(0);
    expect((await cli.run(['whoami', '--json'])).exitCode).toBe(0);
  });
});

describe('a stored session', () => {
  test('is refreshed silently before it ends', async () => {
    await signIn('--insecure-storage');
    await expireStored();
    const ran = await cli.run(['whoami', '--json', '--quiet']);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(calls).toEqual(['signIn', 'refresh refresh-1', 'getUser']);
  });

  test('is refreshed once by many that need it at the same time', async () => {
    await signIn('--insecure-storage');
    await expireStored();
    const all = await Promise.all([1, 2, 3, 4].map(() => cli.run(['whoami', '--json'])));
    expect(all.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(calls.filter((call) => call.startsWith('refresh'))).toEqual(['refresh refresh-1']);
  });

  test('is refreshed where the server says that it has ended, whatever the clock says', async () => {
    await signIn('--insecure-storage');
    current = 'another';
    const ran = await cli.run(['whoami', '--json']);
    expect(ran.exitCode).toBe(0);
    expect(calls).toEqual(['signIn', 'getUser', 'refresh refresh-1', 'getUser']);
  });

  test('sign-out ends it at the server and here', async () => {
    await signIn('--insecure-storage');
    const ran = await cli.run(['sign-out', '--json']);
    expect(JSON.parse(ran.out)).toMatchObject({ revoked: true });
    expect(calls).toEqual(['signIn', 'signOut']);
    expect(await readdir(join(cli.configDir, 'credentials'))).toEqual([]);
    expect((await cli.run(['whoami'])).exitCode).toBe(4);
  });

  test('sign-out without its keychain says that the session goes on, and forgets nothing', async () => {
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

  test('sign-out while the server is unavailable says so, and removes the session here', async () => {
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
