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

type Failure = { error: { reason: string; message: string; field?: string; hint?: string } };
type Transaction = { id: string };

let world: World;
let ana: Person;
let bought: Transaction;
let undone: Transaction;
let foreign: Transaction;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  ana = await world.customer('ana');
  const bia = await world.customer('bia');
  await ana.json(['deposit', '100.00', '--yes', '--idempotency-key', 'used']);
  bought = await ana.json<Transaction>(['purchase', '5.00', '--yes']);
  undone = await ana.json<Transaction>(['purchase', '6.00', '--yes']);
  await ana.json(['cancel', undone.id, '--yes']);
  foreign = await bia.json<Transaction>(['deposit', '1.00', '--yes']);
});

afterAll(() => world.dispose());

async function expectRefused(
  args: readonly string[],
  expected: { code: number; reason: string; field?: string },
  input?: string,
): Promise<void> {
  const before = await ana.json(['balance']);
  const done = await ana.run([...args, '--json', '--quiet'], input);
  const { error } = JSON.parse(done.stderr) as Failure;
  expect({ code: done.code, reason: error.reason, field: error.field }).toEqual({
    field: undefined,
    ...expected,
  });
  expect(error.message.length).toBeGreaterThan(10);
  expect(done.stdout).toBe('');
  const after = await ana.json(['balance']);
  expect({ ...after, asOf: 0 }).toEqual({ ...before, asOf: 0 });
}

describe('amounts', () => {
  const refused = [
    '0',
    '-5',
    '1.999',
    '1e3',
    '1,5',
    'NaN',
    '12345678901234567890',
    '',
    ' 1',
    '0.00',
  ];
  it.each(refused)('a deposit of "%s" is refused with AMOUNT_INVALID', async (amount) => {
    await expectRefused(['deposit', amount, '--yes'], {
      code: 2,
      reason: 'AMOUNT_INVALID',
      field: 'amount',
    });
  });

  it('an unknown currency is refused with CURRENCY_UNKNOWN, field currency', async () => {
    await expectRefused(['deposit', '5.00', '--currency', 'XYZ', '--yes'], {
      code: 2,
      reason: 'CURRENCY_UNKNOWN',
      field: 'currency',
    });
  });
});

describe('refusals of the ledger', () => {
  it('the ledger refuses an overdraft with INSUFFICIENT_FUNDS', () =>
    expectRefused(['withdraw', '95.01', '--yes'], {
      code: 6,
      reason: 'INSUFFICIENT_FUNDS',
      field: 'amount',
    }));

  it('the ledger refuses an unknown parent with PARENT_NOT_FOUND', () =>
    expectRefused(['cancel', '5b0f7a7e-0000-4000-8000-000000000000', '--yes'], {
      code: 5,
      reason: 'PARENT_NOT_FOUND',
      field: 'parent_id',
    }));

  it('the ledger refuses another user’s transaction as parent with PARENT_NOT_FOUND', () =>
    expectRefused(['reverse', foreign.id, '--yes'], {
      code: 5,
      reason: 'PARENT_NOT_FOUND',
      field: 'parent_id',
    }));

  it('the ledger refuses an undone parent with PARENT_ALREADY_UNDONE', () =>
    expectRefused(['cancel', undone.id, '--yes'], {
      code: 6,
      reason: 'PARENT_ALREADY_UNDONE',
      field: 'parent_id',
    }));

  it('the ledger refuses a key of other content with IDEMPOTENCY_KEY_REUSED', () =>
    expectRefused(['deposit', '100.01', '--yes', '--idempotency-key', 'used'], {
      code: 6,
      reason: 'IDEMPOTENCY_KEY_REUSED',
      field: 'idempotency_key',
    }));
});

describe('callers', () => {
  it('without a terminal a cancellation without --yes is refused', () =>
    expectRefused(['cancel', bought.id], { code: 2, reason: 'CONFIRMATION_REQUIRED' }));

  it.each([
    ['a truncated token', (token: string) => token.slice(0, -20)],
    ['a token without its signature', (token: string) => token.replace(/[^.]+$/, '')],
    ['a token with another signature', (token: string) => token.slice(0, -8) + 'AAAAAAAA'],
    ['a token with other claims', asAdmin],
    ['garbage', () => 'nonsense'],
  ])('%s is refused with TOKEN_INVALID', async (_what, forge) => {
    const real = await readToken(ana);
    const forged = forge(real);
    expect(forged).not.toBe(real);
    const [accepted, refused] = await Promise.all(
      [real, forged].map((token) =>
        runWallet(['balance', '--json'], {
          env: { ...ana.env, WALLET_SERVER: world.daemon().address, WALLET_TOKEN: token },
        }),
      ),
    );
    expect(accepted).toMatchObject({ code: 0 });
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect((JSON.parse(refused!.stderr) as Failure).error.reason).toBe('TOKEN_INVALID');
  });

  it('a token with invalid characters is refused without being printed', async () => {
    const odd = 'eyJhbGciOiJFZERTQSJ9.c2VjcmV0\u00e9.c2lnbmF0dXJl';
    const env = { ...ana.env, WALLET_SERVER: world.daemon().address, WALLET_TOKEN: odd };
    for (const args of [['balance'], ['deposit', '1.00', '--yes']]) {
      const done = await runWallet([...args, '--json'], { env });
      expect(done.code).toBe(4);
      expect(done.stderr).not.toContain('c2VjcmV0');
    }
  });

  it('a token is refused with TOKEN_REVOKED after the sign-out of its session', async () => {
    const caio = await world.customer('caio');
    const { env } = caio;
    const home = { ...env, WALLET_SERVER: world.daemon().address };
    const token = await readToken(caio);
    expect((await caio.run(['sign-out', '--quiet'])).code).toBe(0);
    const done = await runWallet(['balance', '--json'], { env: { ...home, WALLET_TOKEN: token } });
    expect(done.code).toBe(4);
    expect((JSON.parse(done.stderr) as Failure).error.reason).toBe('TOKEN_REVOKED');
  });
});

describe('accounts', () => {
  const signUp = async (email: string, secret: string) => {
    const env = { ...(await world.homeOf('new')), WALLET_SERVER: world.daemon().address };
    const args = ['sign-up', '--email', email, '--password-stdin', '--json', '--quiet'];
    const done = await runWallet(args, { env, input: secret });
    const { error } = JSON.parse(done.stderr) as Failure;
    return { code: done.code, reason: error.reason, field: error.field };
  };

  it('a password that is too short is refused with PASSWORD_INVALID, field password', async () => {
    expect(await signUp('new@example.com', 'too short')).toEqual({
      code: 2,
      reason: 'PASSWORD_INVALID',
      field: 'password',
    });
  });

  it('a sign-up with the address of an account in other letter case is refused', async () => {
    expect(await signUp('ANA@Example.com', password)).toMatchObject({
      reason: 'EMAIL_TAKEN',
      field: 'email',
    });
  });

  it('a wrong password and an unknown user get the same answer', async () => {
    const env = { ...(await world.homeOf('guess')), WALLET_SERVER: world.daemon().address };
    const signIn = async (email: string) => {
      const args = [
        'sign-in',
        '--email',
        email,
        '--password-stdin',
        '--json',
        '--insecure-storage',
      ];
      const done = await runWallet([...args, '--quiet'], { env, input: 'not the password at all' });
      const answer = done.stderr.replace(/"requestId": ?"[^"]*"/, '').replace(email, 'EMAIL');
      return `${String(done.code)} ${answer}`;
    };
    const wrong = await signIn('ana@example.com');
    expect(wrong).toContain('CREDENTIALS_INVALID');
    expect(wrong).toBe(await signIn('unknown@example.com'));
  });

  it('without a keychain a sign-in fails with a hint, and stores no sign-in', async () => {
    const env = { ...(await world.homeOf('bare')), WALLET_SERVER: world.daemon().address };
    const args = ['sign-in', '--email', 'ana@example.com', '--password-stdin', '--json'];
    const done = await runWallet(args, { env, input: password });
    expect(done.code).not.toBe(0);
    const { error } = JSON.parse(done.stderr.trim().split('\n').at(-1) ?? '') as Failure;
    expect(error.hint).toContain('--insecure-storage');
    const asked = await runWallet(['balance', '--json'], { env });
    expect(asked.code).toBe(4);
  });
});

describe('passwords', () => {
  const latin1 = Buffer.from('una contraseña larga', 'latin1');
  const other = Buffer.from('una contrase\u00f3a larga', 'latin1');
  const marked = (text: string) => Buffer.from(`\ufeff${text}\n`);

  const signUp = async (name: string, input: string | Buffer) => {
    const env = { ...(await world.homeOf(name)), WALLET_SERVER: world.daemon().address };
    const args = ['sign-up', '--email', `${name}@example.com`, '--password-stdin', '--json'];
    return runWallet(args, { env, input });
  };

  it.each([
    ['Latin-1', latin1],
    ['UTF-16', Buffer.from('\ufeffa long enough passphrase\n', 'utf16le')],
    ['UTF-16 without a mark', Buffer.from('a long enough passphrase\n', 'utf16le')],
  ])('a piped password in %s is refused before anything is sent', async (_what, input) => {
    const done = await signUp('undecodable', input);
    expect(done).toMatchObject({ code: 2, stdout: '' });
    expect((JSON.parse(done.stderr) as Failure).error.message).toMatch(
      /UTF-(8|16).*nothing was sent/,
    );
  });

  it('walletd refuses a password that is not UTF-8, so that no other one matches it', async () => {
    const args = ['users', 'create', '--email', 'host@example.com', '--role', 'customer'];
    const refused = await world.walletd(args, other);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/not valid UTF-8[\s\S]*hint: /);
  });

  it('a byte order mark before a piped password is dropped, by wallet and walletd', async () => {
    expectCode(await signUp('marked', marked(password)), 0);
    const args = ['users', 'create', '--email', 'host@example.com', '--role', 'customer'];
    expectCode(await world.walletd(args, marked(password)), 0);
    for (const name of ['marked', 'host']) {
      const env = { ...(await world.homeOf(name)), WALLET_SERVER: world.daemon().address };
      const person = await signInAs(`${name}@example.com`, env, () => ({}));
      expect(person.email).toBe(`${name}@example.com`);
    }
  });
});

/** The token with its own signature, and another role in its claims. */
function asAdmin(token: string): string {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  const changed = Buffer.from(JSON.stringify({ ...claims, role: 'admin' })).toString('base64url');
  return [header, changed, signature].join('.');
}

/** The access token in the person's file, as the CLI stored it. */
async function readToken(person: Person): Promise<string> {
  const { readFile, readdir } = await import('node:fs/promises');
  const home = person.env['HOME'] ?? '';
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const text = await readFile(`${entry.parentPath}/${entry.name}`, 'utf8');
    const token = /eyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(text)?.[0];
    if (token) return token;
  }
  throw new Error('no token found');
}
