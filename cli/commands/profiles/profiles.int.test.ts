import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { User } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

let cli: Cli;
let server: FakeServer;
let signOuts: number;
let isRefusing: boolean;

beforeEach(async () => {
  signOuts = 0;
  isRefusing = false;
  server = await startFakeServer({
    signOut: () => {
      signOuts += 1;
      return isRefusing ? refusal('OVERLOADED', 'too many calls') : {};
    },
    getUser: () => ({ user: { id: userId, email: 'ana@example.com', role: 1 } as User }),
  });
  cli = await createCli();
  expect((await config('prod', 'server', server.address)).exitCode).toBe(0);
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const config = (profile: string, key: string, value: string) =>
  cli.run(['config', 'set', key, value, '--profile', profile]);

const filesOf = async (folder: string): Promise<readonly string[]> =>
  (await readdir(join(cli.configDir, folder)).catch(() => [])).map(decodeURIComponent).sort();

/** What `sign-in --insecure-storage` leaves, with a device token. */
async function storeSignIn(profile: string, address = server.address): Promise<void> {
  const record = { profile, server: address, userId, email: 'ana@example.com', storage: 'file' };
  const accessTokenExpiresAtMs = Date.now() + 600_000;
  const secret = { accessToken: fakeToken(), accessTokenExpiresAtMs, refreshToken: 'r' };
  for (const [folder, content] of [
    ['accounts', record],
    ['credentials', { version: 2, record, secret }],
    ['devices', { version: 1, tokens: { 'ana@example.com': 'd' } }],
  ] as const) {
    const name = `${encodeURIComponent(`${profile}@${address}`)}.json`;
    await mkdir(join(cli.configDir, folder), { recursive: true, mode: 0o700 });
    await writeFile(join(cli.configDir, folder, name), JSON.stringify(content), { mode: 0o600 });
  }
}

const readConfig = async (): Promise<unknown> =>
  JSON.parse(await readFile(join(cli.configDir, 'config.json'), 'utf8'));

describe('profiles rename', () => {
  test('a renamed profile keeps its settings and sign-ins, and stays in use', async () => {
    await storeSignIn('prod');
    await storeSignIn('prod', 'other.example.com:443');
    await storeSignIn('product');
    await cli.run(['profiles', 'use', 'prod']);
    const ran = await cli.run(['profiles', 'rename', 'prod', 'production', '--json']);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(JSON.parse(ran.out)).toEqual({ name: 'production', previousName: 'prod' });
    expect(await readConfig()).toEqual({
      profile: 'production',
      profiles: { production: { server: server.address } },
    });
    const names = [
      `product@${server.address}.json`,
      `production@${server.address}.json`,
      'production@other.example.com:443.json',
    ].sort();
    for (const folder of ['accounts', 'credentials', 'devices']) {
      expect(await filesOf(folder)).toEqual(names);
    }
    const shown = await cli.run(['whoami', '--json']);
    expect(JSON.parse(shown.out)).toMatchObject({ profile: 'production' });
  });

  test('the default profile can be renamed, and its new name is in use', async () => {
    await config('default', 'server', server.address);
    await storeSignIn('default');
    expect((await cli.run(['profiles', 'rename', 'default', 'home'])).exitCode).toBe(0);
    expect(JSON.parse((await cli.run(['whoami', '--json'])).out)).toMatchObject({
      profile: 'home',
    });
    expect((await cli.run(['profiles', 'rename', 'home', 'default'])).exitCode).toBe(0);
    expect(await filesOf('accounts')).toEqual([`default@${server.address}.json`]);
  });

  test('a name that is taken, invalid or unknown is refused, and nothing changes', async () => {
    await config('staging', 'currency', 'EUR');
    const before = await readConfig();
    for (const [names, exitCode, text] of [
      [['prod', 'staging'], 2, 'already'],
      [['prod', 'prod'], 2, 'already'],
      [['prod', 'a b'], 2, 'cannot be the name'],
      [['pord', 'x'], 5, 'did you mean prod?'],
    ] as const) {
      const ran = await cli.run(['profiles', 'rename', ...names]);
      expect(ran).toMatchObject({ exitCode, out: '' });
      expect(ran.err).toContain(text);
    }
    expect(await readConfig()).toEqual(before);
  });

  test('if one sign-in cannot be read, none is moved', async () => {
    await storeSignIn('prod');
    await storeSignIn('prod', 'other.example.com:443');
    const broken = `${encodeURIComponent('prod@other.example.com:443')}.json`;
    await writeFile(join(cli.configDir, 'credentials', broken), 'nothing');
    const before = [await readConfig(), await filesOf('accounts'), await filesOf('credentials')];
    expect((await cli.run(['profiles', 'rename', 'prod', 'production'])).exitCode).toBe(4);
    expect([await readConfig(), await filesOf('accounts'), await filesOf('credentials')]).toEqual(
      before,
    );
  });

  test('with a command of unknown outcome a rename needs confirmation', async () => {
    const folder = join(cli.stateDir, 'pending', 'a'.repeat(64));
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10.json'), '{}');
    const argv = ['profiles', 'rename', 'prod', 'production'];
    const refused = await cli.run(argv);
    expect(refused.exitCode).toBe(2);
    expect(refused.err).toContain('pays again');
    const questions: string[] = [];
    const confirm = (question: string) => {
      questions.push(question);
      return Promise.resolve(false);
    };
    const declined = await cli.run(argv, { isTerminal: true, prompter: { confirm } });
    expect(declined.exitCode).toBe(130);
    expect(questions).toEqual(['Rename it all the same?']);
    expect((await cli.run([...argv, '--yes'])).exitCode).toBe(0);
  });
});

describe('profiles remove', () => {
  test('a removed profile is signed out, and nothing of it is left', async () => {
    await storeSignIn('prod');
    await storeSignIn('product');
    await cli.run(['profiles', 'use', 'prod']);
    const refused = await cli.run(['profiles', 'remove', 'prod']);
    expect(refused.exitCode).toBe(2);
    expect(await filesOf('accounts')).toHaveLength(2);
    const ran = await cli.run(['profiles', 'remove', 'prod', '--yes', '--json']);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(JSON.parse(ran.out)).toEqual({ name: 'prod', revoked: true });
    expect(signOuts).toBe(1);
    expect(await readConfig()).toEqual({ profiles: {} });
    for (const folder of ['accounts', 'credentials', 'devices']) {
      expect(await filesOf(folder)).toEqual([`product@${server.address}.json`]);
    }
  });

  test('the prompt names who is signed in, and a declined removal changes nothing', async () => {
    await storeSignIn('prod');
    const questions: string[] = [];
    const confirm = (question: string) => {
      questions.push(question);
      return Promise.resolve(false);
    };
    const argv = ['profiles', 'remove', 'prod'];
    const ran = await cli.run(argv, { isTerminal: true, prompter: { confirm } });
    expect(ran.exitCode).toBe(130);
    expect(questions).toEqual(['Remove the profile and sign out?']);
    expect(ran.err).toContain(`ana@example.com at ${server.address}`);
    expect(signOuts).toBe(0);
    expect(await filesOf('accounts')).toHaveLength(1);
  });

  test('sessions that cannot be ended are named, and removed here', async () => {
    await storeSignIn('prod');
    await storeSignIn('prod', 'other.example.com:443');
    isRefusing = true;
    const ran = await cli.run(['profiles', 'remove', 'prod', '--yes', '--timeout', '1s']);
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toContain('the session was not ended at the server');
    expect(ran.err).toContain('ana@example.com at other.example.com:443 is not ended there');
    expect(await filesOf('credentials')).toEqual([]);
  });

  test('an unknown profile is not found', async () => {
    const ran = await cli.run(['profiles', 'remove', 'pord', '--yes']);
    expect(ran.exitCode).toBe(5);
    expect(ran.err).toContain('did you mean prod?');
  });
});
