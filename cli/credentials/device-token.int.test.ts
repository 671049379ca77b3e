import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { TokenSet, User, type SignInRequest } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  createCli,
  refusal,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../test-support.ts';

let cli: Cli;
let server: FakeServer;
let shownDevices: string[];

beforeEach(async () => {
  shownDevices = [];
  server = await startFakeServer({
    signIn: ({ email, password, deviceToken }: SignInRequest) => {
      shownDevices.push(deviceToken);
      if (password === 'soon' && shownDevices.length < 3) {
        return refusal('THROTTLED', 'too many attempts', { retryAfterSeconds: '1' });
      }
      if (password === 'never') {
        return refusal('THROTTLED', 'too many attempts', { retryAfterSeconds: '1' });
      }
      if (password === 'guessed') {
        const wait = { retryAfterSeconds: '150' };
        return refusal('THROTTLED', 'too many wrong passwords for this address', wait);
      }
      return {
        tokens: TokenSet.fromPartial({ accessToken: 'access', refreshToken: 'refresh' }),
        user: User.fromPartial({ id: userId, email }),
        deviceToken: `device of ${email} ${shownDevices.length}`,
      };
    },
    signOut: () => ({}),
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

describe('device tokens', () => {
  test('sign-in sends the device token of its account, after a sign-out too', async () => {
    const files = join(cli.configDir, 'devices');
    await signIn('--insecure-storage');
    await cli.run(['sign-out']);
    await signIn('--insecure-storage');
    await signIn('--insecure-storage', '--email', 'bob@example.com');
    await signIn('--insecure-storage', '--profile', 'p');
    await signIn('--insecure-storage', '--email', 'ANA@example.com');
    expect(shownDevices).toEqual([
      '',
      'device of ana@example.com 1',
      '',
      '',
      'device of ana@example.com 2',
    ]);
    const names = await readdir(files);
    expect(names).toHaveLength(2);
    for (const name of names) expect((await stat(join(files, name))).mode & 0o777).toBe(0o600);
  });

  test('sign-in succeeds with a warning if the device token cannot be stored', async () => {
    await mkdir(cli.configDir, { recursive: true });
    await writeFile(join(cli.configDir, 'devices'), 'in the way');
    const ran = await signIn('--insecure-storage');
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toContain('cannot be stored');
  });

  test('a sign-in that is throttled for minutes says for how long, and is tried once', async () => {
    const argv = ['sign-in', '--email', 'a@example.com', '--password-stdin', '--insecure-storage'];
    const ran = await cli.run(argv, { stdin: 'guessed\n' });
    expect(ran.exitCode).toBe(7);
    expect(ran.err).toContain('too many wrong passwords for this address (wait 3 min)');
    expect(ran.err).toContain('hint: wait for that time');
    expect(shownDevices).toHaveLength(1);
  });

  test('a sign-in that is throttled for a second is tried up to three times', async () => {
    const argv = ['sign-in', '--email', 'a@example.com', '--password-stdin', '--insecure-storage'];
    const ran = await cli.run(argv, { stdin: 'soon\n' });
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toContain('too many attempts: trying again in 1 s');
    expect(shownDevices).toHaveLength(3);
    shownDevices = [];
    const refused = await cli.run(argv, { stdin: 'never\n' });
    expect(refused.exitCode).toBe(7);
    expect(shownDevices).toHaveLength(3);
  });
});
