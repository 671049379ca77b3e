import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runWalletd, type Environment } from '../../../scripts/product.ts';
import { expectExplained } from '../../support/processes/explained.ts';
import { createOwnSite, type OwnSite } from '../../support/processes/own-site.ts';
import { runProcess, waitFor, walletdFile } from '../../support/processes/process.ts';
import { expectCode } from '../../support/processes/world.ts';

let site: OwnSite;

beforeAll(async () => {
  site = await createOwnSite();
  expectCode(await runWalletd(['migrate'], { env: { ...site.env, ...site.owners } }), 0);
});
afterAll(() => site.dispose());

const run = (args: readonly string[], env: Environment = {}) =>
  runWalletd(args, { env: { ...site.env, ...env } });
const create = ['users', 'create', '--email', 'ana@example.com', '--role', 'admin'];
const file = (name: string, text: string): string => {
  const path = join(site.folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const rsaKey = (): string =>
  generateKeyPairSync('rsa', { modulusLength: 2_048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();

describe('refusals of the configuration', () => {
  const urls = ['AUTH', 'WALLET', 'STATEMENT'].flatMap((name) => [
    `${name}_DATABASE_URL`,
    `${name}_MIGRATION_DATABASE_URL`,
  ]);
  const broken = [
    'postgres://a%zz:b@127.0.0.1/d',
    'postgres://a:%@127.0.0.1/d',
    'postgres://a%00@h/d',
  ];

  it.each(urls)('%s with an invalid escape is refused by check and start', async (name) => {
    for (const url of broken) {
      for (const args of [['config', 'check'], ['start']]) {
        expectExplained(
          await run(args, { [name]: url }),
          2,
          new RegExp(`^walletd: ${name}: has a`, 'm'),
        );
      }
    }
  });

  it.each([
    ['RABBITMQ_URL', 'amqp://a%zz:b@127.0.0.1/v'],
    ['RABBITMQ_URL', 'amqp://a:b@127.0.0.1/%zz'],
    ['SMTP_URL', 'smtp://a%zz:b@127.0.0.1'],
    ['MAIL_HOST', 'mail.example.com'],
    ['DATABASE_CONNECTIONS', '9'],
    ['DATABASE_CONNECTIONS', 'many'],
  ])('%s=%s is refused by check and start', async (name, text) => {
    for (const args of [['config', 'check'], ['start']]) {
      expectExplained(await run(args, { [name]: text }), 2, new RegExp(`^walletd: ${name}: `, 'm'));
    }
  });

  const files: [string, () => Environment, RegExp][] = [
    [
      'a certificate of a database URL that is not there',
      () => ({
        AUTH_DATABASE_URL: `${site.env['AUTH_DATABASE_URL']}?sslmode=require&sslrootcert=/nowhere`,
      }),
      /sslrootcert of a database URL.*\/nowhere/,
    ],
    [
      'authorities for mail that are not there',
      () => ({
        SMTP_URL: 'smtp://127.0.0.1',
        MAIL_FROM: 'a@example.com',
        SMTP_CA_FILE: '/nowhere',
      }),
      /SMTP_CA_FILE: .*\/nowhere/,
    ],
    [
      'a secret that is too short',
      () => ({ WALLETD_SERVICE_CREDENTIAL_FILE: file('short', 'secret') }),
      /WALLETD_SERVICE_CREDENTIAL_FILE: the secret is shorter/,
    ],
    [
      'a signing key of another kind',
      () => ({ AUTH_SIGNING_KEY_FILE: file('rsa.pem', rsaKey()) }),
      /AUTH_SIGNING_KEY_FILE: .*Ed25519, not rsa/,
    ],
    [
      'a signing key that is none',
      () => ({ AUTH_SIGNING_KEY_FILE: file('text.pem', 'not a key') }),
      /AUTH_SIGNING_KEY_FILE: /,
    ],
    ['a user that is not there', () => ({ WALLETD_USER: 'no-such-user' }), /WALLETD_USER: /],
  ];
  it.each(files)('%s is refused by check and start', async (_what, env, reported) => {
    expectExplained(await run(['config', 'check'], env()), 2, reported);
    expectExplained(await run(['start'], env()), 1, reported);
  });
});

describe('input and output', () => {
  it('an unreadable stdin is reported as a missing password', () => {
    const folder = openSync('/', 'r');
    const { status, stderr } = spawnSync(process.execPath, [walletdFile, ...create], {
      env: { ...site.env },
      stdio: [folder, 'pipe', 'pipe'],
      encoding: 'utf8',
    });
    closeSync(folder);
    expectExplained({ code: status, stderr }, 1, /password must have at least 12 characters/);
  });

  it.each(['--help', '--version'])('walletd %s to a full disk fails with ENOSPC', (flag) => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [walletdFile, flag], {
      env: {},
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expectExplained({ code: status, stderr }, 1, /ENOSPC/);
  });
});

describe('accepted configuration', () => {
  it('a database URL with several hosts is accepted', async () => {
    const host = `127.0.0.1:${site.server.port}`;
    const url = `postgres://auth_app@${host},${host}/auth`;
    const daemon = runProcess(['start'], { ...site.env, AUTH_DATABASE_URL: url });
    await waitFor('ready or its end', () => /walletd ready|hint: |Error/.test(daemon.said()));
    daemon.child.kill('SIGTERM');
    expect({ how: await daemon.end(), said: daemon.said() }).toMatchObject({ how: 0 });
    expect(daemon.said()).toContain('walletd ready');
  });
});
