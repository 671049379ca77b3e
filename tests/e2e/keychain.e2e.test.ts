import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { runWallet } from '../../scripts/product.ts';
import { startSecretService, type SecretService } from '../support/secret-service.ts';
import { createWorld, expectCode, password, type World } from '../support/world.ts';

let world: World;
let keychain: SecretService;
let env: Record<string, string>;

beforeAll(async () => {
  world = await createWorld();
  await world.start({ LOG_LEVEL: 'trace' });
  keychain = await startSecretService();
  const home = await world.homeOf('ana');
  env = { ...keychain.env, ...home, WALLET_SERVER: world.daemon().address };
  const signUp = ['sign-up', '--email', 'ana@example.com', '--password-stdin'];
  expectCode(await runWallet(signUp, { env, input: password }), 0);
});

afterAll(async () => {
  await keychain.stop();
  await world.dispose();
});

it('sign-in keeps the token in the keychain: in no file, in no argv and in no log', async () => {
  const watch = watchCommandLines();
  const args = ['sign-in', '--email', 'ana@example.com', '--password-stdin', '--verbose'];
  const signedIn = await runWallet(args, { env, input: password });
  expectCode(signedIn, 0);
  const balance = await runWallet(['balance', '--verbose'], { env });
  expectCode(balance, 0);
  const commandLines = watch.stop();

  const secrets = readKeychain();
  expect(secrets).toHaveLength(2);
  for (const secret of [...secrets, password]) {
    expect(`${signedIn.stdout}${signedIn.stderr}${balance.stdout}${balance.stderr}`).not.toContain(
      secret,
    );
    expect(commandLines).not.toContain(secret);
    expect(world.daemon().log()).not.toContain(secret);
    expect(await findFilesWith(secret, env['HOME'] ?? '')).toEqual([]);
    expect(await findFilesWith(secret, '/tmp', 1)).toEqual([]);
  }
  expect(commandLines).toContain('sign-in');
});

it('the stored sign-in serves the next command, and sign-out removes it', async () => {
  const shown = await runWallet(['whoami', '--json'], { env });
  expect(JSON.parse(shown.stdout)).toMatchObject({
    user: { email: 'ana@example.com' },
    credential: { source: 'keychain' },
  });
  expectCode(await runWallet(['sign-out'], { env }), 0);
  expect((await runWallet(['balance'], { env })).code).toBe(4);
  expect(readKeychain()).toEqual([]);
});

it('sign-out with a locked keychain says that the session goes on, and can be repeated', async () => {
  const args = ['sign-in', '--email', 'ana@example.com', '--password-stdin'];
  expectCode(await runWallet(args, { env, input: password }), 0);
  keychain.lock();
  for (const _attempt of [1, 2]) {
    const ran = await runWallet(['sign-out', '--json'], { env });
    expectCode(ran, 4);
    expect(JSON.parse(ran.stderr)).toMatchObject({ error: { reason: 'KEYCHAIN_LOCKED' } });
    expect(ran.stderr).toContain('goes on at the server');
  }
});

/** The access and the refresh token, asked for from the Secret Service by libsecret itself. */
function readKeychain(): string[] {
  const args = ['lookup', 'service', 'digital-wallet'];
  let text: string;
  try {
    text = execFileSync('secret-tool', args, {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString();
  } catch {
    return [];
  }
  const stored = JSON.parse(text) as Record<string, unknown>;
  return [stored['accessToken'], stored['refreshToken']].map(String);
}

/** Collects the command lines and environments' names of all processes while it runs. */
function watchCommandLines(): { stop(): string } {
  const seen = new Set<string>();
  let isStopped = false;
  const look = async (): Promise<void> => {
    while (!isStopped) {
      for (const name of await readdir('/proc')) {
        if (!/^\d+$/.test(name)) continue;
        const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
        if (line.includes('dist/cli')) seen.add(line);
        const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
        if (line.includes('dist/cli')) seen.add(environment);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  void look();
  return {
    stop: () => {
      isStopped = true;
      return [...seen].join('\n');
    },
  };
}

async function findFilesWith(secret: string, folder: string, depth = 20): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory() && depth > 1)
      found.push(...(await findFilesWith(secret, path, depth - 1)));
    if (!entry.isFile()) continue;
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.includes(secret)) found.push(path);
  }
  return found;
}
