import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runWallet } from '../../../scripts/product.ts';
import {
  createWorld,
  expectCode,
  password,
  signInAs,
  type Person,
  type World,
} from '../../support/processes/world.ts';

type Listed<T> = { readonly items: readonly T[]; readonly nextPageToken?: string };
type Session = { readonly id: string; readonly current: boolean };
type Account = { readonly id: string; readonly role: string; readonly disabled: boolean };
type Key = { readonly id: string; readonly secret: string };

let world: World;
let admin: Person;
let ana: Person;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  admin = await world.staff('root', 'admin');
  ana = await world.customer('ana');
});

afterAll(() => world.dispose());

/** The file that keeps a person's tokens, as `--insecure-storage` made it. */
async function findTokenFile(person: Person): Promise<string> {
  const dir = join(person.env['HOME'] ?? '', '.config/digital-wallet/credentials');
  const [name = ''] = await readdir(dir);
  return join(dir, name);
}

/** Runs the CLI with a token of its own and nothing stored. */
const runWith = (token: string, args: readonly string[]) =>
  runWallet(args, {
    env: {
      ...{ PATH: process.env['PATH'] ?? '', HOME: join(world.folder, 'no-home'), TZ: 'UTC' },
      ...{ WALLET_SERVER: world.daemon().address, WALLET_TOKEN: token },
    },
  });

describe('expired access tokens', () => {
  it('many processes with an expired access token refresh it once, and all succeed', async () => {
    const bia = await world.customer('bia');
    const path = await findTokenFile(bia);
    const read = async () =>
      JSON.parse(await readFile(path, 'utf8')) as { readonly secret: Record<string, unknown> };
    const expire = (account: Awaited<ReturnType<typeof read>>) => {
      const secret = { ...account.secret, accessTokenExpiresAtMs: 1 };
      return writeFile(path, JSON.stringify({ ...account, secret }));
    };
    const stored = await read();
    await expire(stored);
    const runs = await Promise.all(
      Array.from({ length: 6 }, () => bia.run(['whoami', '--json', '--quiet'])),
    );
    for (const done of runs) expectCode(done, 0);
    const renewed = await read();
    expect(renewed.secret['refreshToken']).not.toBe(stored.secret['refreshToken']);
    // A token that was shown twice would have ended the session by now.
    await expire(renewed);
    expectCode(await bia.run(['balance']), 0);
  });
});

describe('users', () => {
  it('users are found by an unverified address, and by role', async () => {
    const shown = await admin.json<Account>(['users', 'show', ana.email]);
    expect(shown).toMatchObject({ id: ana.id, role: 'customer', disabled: false });
    const admins = await admin.json<Listed<Account>>(['users', 'list', '--role', 'admin']);
    expect(admins.items.map(({ id }) => id)).toEqual([admin.id]);
    expect((await ana.run(['users', 'list'])).code).toBe(8);
  });

  it('an admin sets the role of a user, and a disabled account is refused at once', async () => {
    const eve = await world.customer('eve');
    const made = await admin.json<Account>(['users', 'set-role', eve.email, 'operator', '--yes']);
    expect(made.role).toBe('operator');
    await admin.json(['users', 'disable', eve.id, '--yes']);
    expect((await eve.run(['whoami'])).code).toBe(4);
    await admin.json(['users', 'enable', eve.id, '--yes']);
    const args = ['sign-in', '--email', eve.email, '--password-stdin', '--insecure-storage'];
    expectCode(await eve.run(args, password), 0);
    expect((await admin.run(['users', 'set-role', admin.id, 'customer', '--yes'])).code).toBe(6);
  });
});

describe('sessions', () => {
  it('sessions are listed with the current one marked, and one can be revoked', async () => {
    const { items } = await ana.json<Listed<Session>>(['sessions', 'list']);
    expect(items.filter(({ current }) => current)).toHaveLength(1);
    const own = items.find(({ current }) => current)?.id ?? '';
    const revoked = await ana.run(['sessions', 'revoke', own, '--yes']);
    expectCode(revoked, 0);
    expect(revoked.stderr).toContain('this is the session in use');
    expect((await ana.run(['whoami'])).code).toBe(4);
    const args = ['sign-in', '--email', ana.email, '--password-stdin', '--insecure-storage'];
    expectCode(await ana.run(args, password), 0);
  });
});

describe('change of password', () => {
  it('a changed password replaces the old one, and can end the other sessions', async () => {
    const fay = await world.customer('fay');
    const server = () => ({ WALLET_SERVER: world.daemon().address });
    const elsewhere = await signInAs(fay.email, await world.homeOf('fay-elsewhere'), server);
    expectCode(await elsewhere.run(['whoami']), 0);
    const args = ['change-password', '--password-stdin', '--revoke-other-sessions'];
    expectCode(await fay.run(args, `${password}\nanother long passphrase\n`), 0);
    expectCode(await fay.run(['whoami']), 0);
    const ended = await elsewhere.run(['whoami', '--json', '--quiet']);
    expect(ended).toMatchObject({ code: 4, stdout: '' });
    const signIn = ['sign-in', '--email', fay.email, '--password-stdin', '--insecure-storage'];
    expect((await fay.run(signIn, password)).code).toBe(4);
    expectCode(await fay.run(signIn, 'another long passphrase'), 0);
  });
});

describe('API keys', () => {
  it('an API key works within its scopes until it is revoked', async () => {
    const create = ['api-keys', 'create', '--name', 'reader', '--scope', 'wallets:read'];
    const { id, secret } = await ana.json<Key>(create);
    const whoami = await runWith(secret, ['whoami', '--json']);
    expectCode(whoami, 0);
    expect(JSON.parse(whoami.stdout)).toMatchObject({
      user: { id: ana.id, role: 'customer' },
      credential: { source: 'WALLET_TOKEN', apiKey: { name: 'reader' } },
    });
    expectCode(await runWith(secret, ['balance']), 0);
    expect((await runWith(secret, ['deposit', '1', '--yes'])).code).toBe(8);
    expectCode(await ana.run(['api-keys', 'revoke', id, '--yes']), 0);
    expect((await runWith(secret, ['balance'])).code).toBe(4);
  });

  it('stdout of api-keys create is the secret alone', async () => {
    const args = ['api-keys', 'create', '--name', 'file', '--scope', 'wallets:read'];
    const created = await ana.run(args);
    expectCode(created, 0);
    expect(created.stdout).toMatch(/^dwk_\S+\n$/);
    expectCode(await runWith(created.stdout, ['balance']), 0);
  });
});

describe('wallets', () => {
  it('wallets are listed with their owners', async () => {
    await ana.json(['deposit', '5.00', '--yes']);
    const own = await ana.json<Listed<object>>(['wallets', 'list']);
    expect(own.items).toMatchObject([{ userId: ana.id, balance: '5.00', status: 'active' }]);
    const all = await admin.json<Listed<object>>(['wallets', 'list', '--user', ana.id]);
    expect(all.items).toEqual(own.items.map((item) => ({ ...item, userEmail: ana.email })));
  });

  it('a frozen wallet refuses a deposit until it is unfrozen', async () => {
    const freeze = (verb: string, ...more: string[]) =>
      admin.json(['wallets', verb, '--user', ana.id, '--note', 'asked for', '--yes', ...more]);
    expect(await freeze('freeze', '--dry-run')).toMatchObject({ dryRun: true });
    expect(await freeze('freeze')).toMatchObject({ status: 'frozen' });
    expect((await ana.run(['deposit', '1', '--yes'])).code).toBe(6);
    expect(await freeze('unfreeze')).toMatchObject({ status: 'active' });
    expectCode(await ana.run(['deposit', '1', '--yes']), 0);
  });
});

describe('audit log', () => {
  it('the audit log lists actions, newest first, page by page', async () => {
    await admin.json(['wallets', 'freeze', '--user', ana.id, '--yes']);
    await admin.json(['wallets', 'unfreeze', '--user', ana.id, '--yes']);
    type Event = { readonly id: string; readonly actor: string; readonly occurredAt: string };
    const all = await admin.json<Listed<Event>>(['audit', 'log', '--actor', admin.id, '--all']);
    expect(all.items.length).toBeGreaterThan(1);
    expect(all.items.every(({ actor }) => actor === admin.id)).toBe(true);
    const times = all.items.map(({ occurredAt }) => occurredAt);
    expect(times).toEqual([...times].sort().reverse());
    const first = await admin.json<Listed<Event>>(['audit', 'log', '--limit', '1']);
    const rest = ['audit', 'log', '--limit', '1', '--page-token', first.nextPageToken ?? ''];
    const second = await admin.json<Listed<Event>>(rest);
    expect(second.items[0]?.id).not.toBe(first.items[0]?.id);
    expect((await ana.run(['audit', 'log'])).code).toBe(8);
  });
});
