import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, type Answer } from '../../support/grpc/client.ts';
import { queryService, waitUntil } from '../../support/ledger/ledger.ts';
import { createSplitWorld, type SplitWorld } from '../../support/processes/split-world.ts';
import { appCode } from '../../support/auth/totp.ts';
import { createWorld, password, type Person, type World } from '../../support/processes/world.ts';

type Begun = { secret: string; uri: string };
type Enabled = { enabled: boolean; recoveryCodes: string[] };
type Status = { enabled: boolean; required: boolean; recoveryCodesLeft: number };

describe('a second factor at the command line', () => {
  let world: World;
  let operator: Person;
  let ana: Person;
  let secret: string;
  let recoveryCodes: string[];
  let apiKey: string;

  beforeAll(async () => {
    world = await createWorld();
    await world.start();
    operator = await world.staff('otto', 'operator');
    ana = await world.customer('ana');
    const key = ['api-keys', 'create', '--name', 'job', '--scope', 'wallets:read'];
    apiKey = (await operator.json<{ secret: string }>(key)).secret;
  });
  afterAll(() => world.dispose());

  const signIn = (input: string, ...flags: string[]) =>
    operator.run(
      ['sign-in', '--email', operator.email, '--insecure-storage', '--json', ...flags],
      input,
    );
  const signInByKey = () =>
    operator.run(
      ['sign-in', '--with-token', '--profile', 'job', '--insecure-storage', '--json'],
      apiKey,
    );
  const forget = () =>
    queryService(world.dataDir, 'auth', 'UPDATE totp_secrets SET last_step = NULL');
  const balance = (who: Person) => who.run(['balance', '--user', ana.id, '--json']);
  const reasonOf = (stderr: string) =>
    (
      JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as {
        error: { reason: string; hint: string };
      }
    ).error;

  it('a second factor is required of earlier sessions and API keys after a restart', async () => {
    expect((await balance(operator)).code).toBe(0);
    await world.stop();
    await world.start({ STAFF_TOTP: 'required' });
    const refused = await balance(operator);
    expect(refused.code).toBe(8);
    expect(reasonOf(refused.stderr)).toMatchObject({
      reason: 'TOTP_ENROLMENT_REQUIRED',
      hint: 'wallet totp enable',
    });
    expect((await signInByKey()).code).toBe(8);
    expect(await operator.json(['whoami'])).toMatchObject({ user: { id: operator.id } });
    expect(await operator.json<Status>(['totp', 'status'])).toMatchObject({
      enabled: false,
      required: true,
    });
    expect((await ana.run(['balance', '--json'])).code).toBe(0);
  });

  it('a second factor is enrolled in two commands, and all commands work again', async () => {
    const begin = ['totp', 'enable', '--password-stdin', '--json', '--quiet'];
    const begun = await operator.run(begin, `${password}\n`);
    expect(begun).toMatchObject({ code: 0, stderr: '' });
    ({ secret } = JSON.parse(begun.stdout) as Begun);
    const confirm = ['totp', 'enable', '--totp-stdin', '--json', '--quiet'];
    expect((await operator.run(confirm, '000000\n')).code).toBe(4);
    const enabled = await operator.run(confirm, `${appCode(secret)}\n`);
    expect(enabled.code).toBe(0);
    ({ recoveryCodes } = JSON.parse(enabled.stdout) as Enabled);
    expect(recoveryCodes).toHaveLength(10);
    expect((await balance(operator)).code).toBe(0);
    expect((await signInByKey()).code).toBe(0);
  });

  it('sign-in asks for the code of a second factor', async () => {
    const without = await signIn(`${password}\n`, '--password-stdin');
    expect(without.code).toBe(4);
    expect(reasonOf(without.stderr)).toMatchObject({ reason: 'TOTP_REQUIRED' });
    expect(reasonOf(without.stderr).hint).toContain('--totp-stdin');
    await forget();
    const code = appCode(secret);
    expect((await signIn(`${password}\n${code}\n`, '--totp-stdin')).code).toBe(0);
    expect((await signIn(`${password}\n${code}\n`, '--totp-stdin')).code).toBe(4);
    const recovery = await signIn(`${password}\n${recoveryCodes[0]}\n`, '--totp-stdin');
    expect(recovery.code).toBe(0);
    expect(recovery.stderr).toContain('9 are left');
    expect(await operator.json<Status>(['totp', 'status'])).toMatchObject({
      enabled: true,
      recoveryCodesLeft: 9,
    });
  });

  it('new recovery codes and disabling a second factor need password and code', async () => {
    await forget();
    const input = (code: string | undefined) => `${password}\n${code}\n`;
    const args = ['totp', 'recovery-codes', '--totp-stdin', '--json', '--quiet'];
    const renewed = await operator.run(args, input(appCode(secret)));
    const codes = (JSON.parse(renewed.stdout) as Enabled).recoveryCodes;
    const disable = ['totp', 'disable', '--totp-stdin', '--json', '--quiet'];
    expect((await operator.run(disable, input(recoveryCodes[1]))).code).toBe(4);
    expect((await operator.run(disable, input(codes[0]))).code).toBe(0);
    // Under `required` that leaves nothing but to enrol again.
    expect((await balance(operator)).code).toBe(8);
  });

  it('a second factor is removed on the host beside a running daemon, and audited', async () => {
    const begin = ['totp', 'enable', '--password-stdin', '--json', '--quiet'];
    const begun = await operator.run(begin, `${password}\n`);
    ({ secret } = JSON.parse(begun.stdout) as Begun);
    const confirm = ['totp', 'enable', '--totp-stdin', '--json', '--quiet'];
    expect((await operator.run(confirm, `${appCode(secret)}\n`)).code).toBe(0);
    const reset = ['users', 'reset-totp', '--email', operator.email];
    const done = await world.walletd(reset);
    expect(done.code).toBe(0);
    expect(done.stderr).toContain(`removed the second factor of ${operator.email}`);
    expect(done.stderr).toContain('sign-ins ended: ');
    expect((await signIn(`${password}\n`, '--password-stdin')).code).toBe(0);
    const again = await world.walletd(reset);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('has no second factor');
    const rows = await queryService(
      world.dataDir,
      'auth',
      `SELECT action FROM audit_log WHERE action LIKE 'totp.%' ORDER BY occurred_at`,
    );
    const actions = new Set(rows.map(({ action }) => action as string));
    for (const action of [
      'enable',
      'disable',
      'failed',
      'recovery_used',
      'recovery_codes',
      'reset',
    ]) {
      expect(actions).toContain(`totp.${action}`);
    }
  });
});

describe('a second factor with separate processes for auth and wallet', () => {
  let world: SplitWorld;
  beforeAll(async () => {
    world = await createSplitWorld();
  });
  afterAll(() => world.dispose());

  it('a separate wallet process requires a second factor once the auth process does', async () => {
    const operator = await world.staff('otto', 'operator');
    const ana = await world.customer('ana');
    const proxy = connect(world.address, world.channel(false));
    const ledger = connect(world.ledgerAddress, world.channel(true));
    const request = { email: operator.email, password, client: '', deviceToken: '' };
    const signedIn = await proxy.call(AuthServiceService.signIn, request);
    const token = signedIn.ok ? (signedIn.value.tokens?.accessToken ?? '') : '';
    const reasonOf = (answer: Answer<unknown>): string => (answer.ok ? 'OK' : answer.reason);
    const ask = async () => {
      const balance = { userId: ana.id, currency: '', at: undefined };
      return reasonOf(await ledger.call(WalletServiceService.getBalance, balance, token));
    };
    expect(await ask()).toBe('OK');
    await world.killAuth();
    await world.startAuth({ STAFF_TOTP: 'required' });
    const isRefused = async () => (await ask()) === 'TOTP_ENROLMENT_REQUIRED';
    await waitUntil('the wallet process to refuse', isRefused, 20_000);
    proxy.close();
    ledger.close();
  });
});
