import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startSecretService, type SecretService } from '../../tests/support/auth/secret-service.ts';
import { openAccounts } from './accounts.ts';
import { openKeychain } from './keychain.ts';
import { accountOf, type AccountRecord } from './records.ts';

const helperUrl = new URL('../keychain-helper.ts', import.meta.url);
const account = accountOf('default', '127.0.0.1:50051');
const record: AccountRecord = {
  profile: 'default',
  server: '127.0.0.1:50051',
  userId: '5aa80f22-6efa-4bfd-9a2b-2c2ac937d82b',
  email: 'ana@example.com',
  role: 'customer',
  storage: 'keychain',
  sessionExpiresAtMs: undefined,
};

const secret = {
  accessToken: 'access',
  accessTokenExpiresAtMs: 1,
  refreshToken: 'refresh',
  sessionExpiresAtMs: 2,
};

let service: SecretService;

beforeAll(async () => {
  service = await startSecretService();
});

afterAll(async () => {
  await service.stop();
});

// From source the helper first compiles itself; the real limit is for the built one.
const open = (timeoutMs = 10_000, env = service.env) => openKeychain({ helperUrl, env, timeoutMs });

describe('a real Secret Service', () => {
  test('a keychain stores, loads, replaces and removes a secret', async () => {
    const keychain = open();
    expect(await keychain.load(account)).toEqual({ ok: true, value: undefined });
    expect(await keychain.save(account, 'première')).toEqual({ ok: true, value: undefined });
    expect(await keychain.load(account)).toEqual({ ok: true, value: 'première' });
    expect(await keychain.load('other@127.0.0.1:50051')).toEqual({ ok: true, value: undefined });
    await keychain.save(account, 'second');
    expect(await keychain.load(account)).toEqual({ ok: true, value: 'second' });
    await keychain.remove(account);
    expect(await keychain.load(account)).toEqual({ ok: true, value: undefined });
    expect(await keychain.remove(account)).toEqual({ ok: true, value: undefined });
  });

  test('a call to a frozen keychain ends at its time limit, and leaves no helper', async () => {
    const keychain = open(2000);
    service.freeze();
    const loading = keychain.load(account);
    const ended = loading.then(() => 'the call');
    const first = await Promise.race([ended, sleep(8_000, 'the wait', { ref: false })]);
    service.thaw();
    expect(first).toBe('the call');
    const loaded = await loading;
    expect(loaded).toMatchObject({
      ok: false,
      failure: { reason: 'KEYCHAIN_UNAVAILABLE', exitCode: 4 },
    });
    expect(loaded.ok ? '' : loaded.failure.message).toContain('no answer within 2 s');
    // It was killed: on a busy machine that takes a moment.
    await expect.poll(countHelpers, { timeout: 5_000 }).toBe(0);
  });

  test('a locked keychain is reported as locked or removed, not as signed out', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'wallet-keychain-'));
    const keychain = open();
    const parts = { configDir: dir, stateDir: dir, lockWaitMs: 1_000, storageOf: () => keychain };
    const accounts = openAccounts(parts);
    const next = { record, secret };
    const written = await accounts.withAccountLock(account, (lock) =>
      accounts.writeAccount(lock, next),
    );
    expect(written).toEqual({ ok: true, value: true });
    expect(await accounts.load(account)).toEqual({ ok: true, value: next });
    service.lock();
    const stored = await accounts.load(account);
    await rm(dir, { recursive: true });
    expect(stored).toMatchObject({
      ok: false,
      failure: { reason: 'KEYCHAIN_LOCKED', exitCode: 4 },
    });
    expect(stored.ok ? '' : stored.failure.message).toContain('locked, or the token was removed');
  });

  test('a keychain without a session bus fails and suggests --insecure-storage', async () => {
    const { DBUS_SESSION_BUS_ADDRESS: _bus, DISPLAY: _display, ...env } = service.env;
    const saved = await open(10_000, env).save(account, 'secret');
    expect(saved).toMatchObject({ ok: false, failure: { reason: 'KEYCHAIN_UNAVAILABLE' } });
    expect(saved.ok ? '' : saved.failure.message).toContain('no session bus');
    expect(saved.ok ? '' : saved.failure.hint).toContain('--insecure-storage');
  });
});

function countHelpers(): number {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
  return children
    .split(' ')
    .filter((pid) => pid !== '')
    .filter((pid) => readCommand(pid).includes('keychain-helper')).length;
}

/** Empty for a process that has gone meanwhile. */
function readCommand(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
