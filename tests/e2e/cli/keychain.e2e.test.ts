import { afterAll, beforeAll, expect, it } from 'vitest';

import { runWallet } from '../../../scripts/product.ts';
import { startSecretService, type SecretService } from '../../support/auth/secret-service.ts';
import { findInFiles, readKeychain, watchProcesses } from '../../support/processes/traces.ts';
import { createWorld, expectCode, password, type World } from '../../support/processes/world.ts';

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
  const watch = watchProcesses({ commandLines: ['dist/cli'], environments: ['dist/cli'] });
  const args = ['sign-in', '--email', 'ana@example.com', '--password-stdin', '--verbose'];
  const signedIn = await runWallet(args, { env, input: password });
  expectCode(signedIn, 0);
  const balance = await runWallet(['balance', '--verbose'], { env });
  expectCode(balance, 0);
  const commandLines = watch.stop();

  const secrets = readKeychain(env);
  expect(secrets).toHaveLength(2);
  for (const secret of [...secrets, password]) {
    expect(`${signedIn.stdout}${signedIn.stderr}${balance.stdout}${balance.stderr}`).not.toContain(
      secret,
    );
    expect(commandLines).not.toContain(secret);
    expect(world.daemon().log()).not.toContain(secret);
    expect(await findInFiles([secret], env['HOME'] ?? '')).toEqual([]);
    expect(await findInFiles([secret], '/tmp', 1)).toEqual([]);
  }
  expect(commandLines).toContain('sign-in');
});

it('a stored sign-in serves the next command, and sign-out removes it', async () => {
  const shown = await runWallet(['whoami', '--json'], { env });
  expect(JSON.parse(shown.stdout)).toMatchObject({
    user: { email: 'ana@example.com' },
    credential: { source: 'keychain' },
  });
  const before = readKeychain(env);
  expect(await diagnoseKeychain()).toMatchObject({ state: 'ok', details: { storage: 'keychain' } });
  expect(readKeychain(env)).toEqual(before);
  expectCode(await runWallet(['sign-out'], { env }), 0);
  expect((await runWallet(['balance'], { env })).code).toBe(4);
  expect(readKeychain(env)).toEqual([]);
});

it('sign-out with a locked keychain reports an open session, and can be repeated', async () => {
  const args = ['sign-in', '--email', 'ana@example.com', '--password-stdin'];
  expectCode(await runWallet(args, { env, input: password }), 0);
  keychain.lock();
  for (const _attempt of [1, 2]) {
    const ran = await runWallet(['sign-out', '--json'], { env });
    expectCode(ran, 4);
    expect(JSON.parse(ran.stderr)).toMatchObject({ error: { reason: 'KEYCHAIN_LOCKED' } });
    expect(ran.stderr).toContain('remains valid at the server');
  }
  expect(await diagnoseKeychain()).toMatchObject({ state: 'problem' });
});

/** What doctor says of the keychain, after it has written and removed an entry. */
async function diagnoseKeychain() {
  const { stdout } = await runWallet(['doctor', '--json'], { env });
  const { items } = JSON.parse(stdout) as { items: { check: string }[] };
  return items.find(({ check }) => check === 'keychain');
}
