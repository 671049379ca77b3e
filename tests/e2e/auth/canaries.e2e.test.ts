import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runWallet, runWalletd, startWalletd, type Finished } from '../../../scripts/product.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAny, textOf, type AnyMethod, type Outcome } from '../../support/grpc/any-call.ts';
import { queryService, waitUntil } from '../../support/ledger/ledger.ts';
import { createProducer } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { startSecretService, type SecretService } from '../../support/auth/secret-service.ts';
import { findInFiles, readKeychain, watchProcesses } from '../../support/processes/traces.ts';
import { createWorld, expectCode, type World } from '../../support/processes/world.ts';
import { misplaceBrowserToken, openBrowserSession } from './browser-token.ts';

const canary = (name: string): string => `canary-${name}-${randomBytes(9).toString('hex')}`;

/** Each is known to one place only, and may be found nowhere else. */
const canaries = {
  password: canary('password'),
  wrongPassword: canary('wrong-password'),
  newPassword: canary('new-password'),
  refreshToken: canary('refresh-token'),
  bearer: canary('bearer'),
  apiKey: `dwk_${canary('api-key')}`,
  browserToken: `dws_${randomBytes(32).toString('base64url')}`,
  service: canary('service'),
  guessedService: canary('guessed-service'),
  basic: canary('basic'),
  rabbitmq: canary('rabbitmq'),
  otherRabbitmq: canary('other-rabbitmq'),
  smtp: canary('smtp'),
  postgres: canary('postgres'),
  misspelt: canary('misspelt'),
  letterPassword: canary('letter-password'),
  letterToken: canary('letter-token'),
  letterNested: canary('letter-nested'),
};
/** Made by the programs themselves as they run: tokens, keys. */
const issued: string[] = [];

let broker: RabbitMq;
let rabbitmqUrl: string;
let keychain: SecretService;
let world: World;
let env: Record<string, string>;
let client: Client;
/** All that was written by a program or answered by the server. */
const said: string[] = [];
let processes: { stop(): string };
let seen = '';

beforeAll(async () => {
  broker = await startRabbitMq();
  const vhost = await broker.createVhost();
  await broker.ctl('add_user', 'canary', canaries.rabbitmq);
  await broker.ctl('set_permissions', '-p', vhost, 'canary', '.*', '.*', '.*');
  const url = new URL(broker.url(vhost));
  url.username = 'canary';
  url.password = canaries.rabbitmq;
  rabbitmqUrl = url.href;
  keychain = await startSecretService();
  world = await createWorld();
  const file = join(world.folder, 'service-credential');
  await writeFile(file, canaries.service, { mode: 0o600 });
  processes = watchProcesses({
    commandLines: ['dist/cli', 'dist/daemon', 'postgres'],
    // What the programs start themselves is given none of their secrets.
    environments: ['keychain-helper', 'bin/postgres'],
  });
  const { address } = await world.start({
    LOG_LEVEL: 'trace',
    RABBITMQ_URL: rabbitmqUrl,
    WALLETD_SERVICE_CREDENTIAL_FILE: file,
    SMTP_URL: `smtp://mailer:${canaries.smtp}@127.0.0.1:9`,
    MAIL_FROM: 'wallet@example.com',
    SIGN_UP: 'open',
  });
  env = { ...keychain.env, ...(await world.homeOf('ada')), WALLET_SERVER: address };
  client = new Client(address, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  await world.dispose();
  await keychain.stop();
  await broker.dispose();
});

const note = (done: Finished): Finished => {
  said.push(done.stdout, done.stderr);
  return done;
};
const wallet = async (args: readonly string[], input = '', extra: Record<string, string> = {}) =>
  note(await runWallet([...args, '--verbose'], { env: { ...env, ...extra }, input }));

const renameTable = (service: string, from: string, to: string) =>
  queryService(world.dataDir, service, `ALTER TABLE ${from} RENAME TO ${to}`);

/** Calls past the command line, and keeps what comes back of a refusal. */
async function call(method: unknown, request: object, authorization?: string): Promise<Outcome> {
  const outcome = await callAny(client, method as AnyMethod, request, authorization);
  if (outcome.code !== 0) said.push(textOf(outcome));
  return outcome;
}

describe('requests with secrets', () => {
  it('sign-ins with a right and a wrong password, and requests, carry secrets', async () => {
    const email = 'ada@example.com';
    const create = ['users', 'create', '--email', email, '--role', 'admin'];
    expectCode(note(await world.walletd(create, canaries.password)), 0);
    const signIn = ['sign-in', '--email', email, '--password-stdin'];
    expectCode(await wallet(signIn, canaries.wrongPassword), 4);
    expectCode(await wallet(signIn, canaries.password), 0);
    issued.push(...readKeychain(env));
    expect(issued).toHaveLength(2);
    const signUp = ['sign-up', '--email', 'ana@example.com', '--password-stdin'];
    await wallet(signUp, canaries.newPassword);
    expectCode(await wallet(['whoami']), 0);
    await wallet(['deposit', '5.00', '--user', 'unknown@example.com', '--yes']);
  });

  it('invalid credentials of every kind carry secrets', async () => {
    for (const token of [canaries.bearer, canaries.apiKey]) {
      expectCode(await wallet(['balance', '--json'], '', { WALLET_TOKEN: token }), 4);
      expectCode(await wallet(['sign-in', '--with-token'], token), 4);
      await call(AuthServiceService.validateToken, { accessToken: token });
      await call(AuthServiceService.getUser, { userId: '' }, `Bearer ${token}`);
    }
    await call(AuthServiceService.getUser, { userId: '' }, `Service ${canaries.guessedService}`);
    await call(AuthServiceService.getUser, { userId: '' }, `Basic ${canaries.basic}`);
    await call(AuthServiceService.refreshSession, { refreshToken: canaries.refreshToken });
    const asAda = `Bearer ${issued[0] ?? ''}`;
    const change = { oldPassword: canaries.wrongPassword, newPassword: canaries.newPassword };
    await call(AuthServiceService.changePassword, { ...change, revokeOtherSessions: false }, asAda);
    const expiresAt = new Date(Date.now() + 3_600_000);
    const key = { name: 'a key', scopes: ['users:read'], operations: [], expiresAt };
    const made = await call(AuthServiceService.createApiKey, key, asAda);
    const { secret } = (made.messages[0] ?? {}) as { secret?: string };
    if (secret === undefined) throw new Error(made.reason);
    issued.push(secret);
    expectCode(await wallet(['whoami'], '', { WALLET_TOKEN: secret }), 0);
  });

  it('a browser token is issued, exchanged and sent to wrong places', async () => {
    const service = `Service ${canaries.service}`;
    const account = { email: 'ada@example.com', password: canaries.password };
    const { browserToken, accessToken } = await openBrowserSession(call, account, service);
    issued.push(browserToken, accessToken);
    for (const token of [browserToken, canaries.browserToken]) {
      await misplaceBrowserToken(call, token, service);
      expectCode(await wallet(['balance', '--json'], '', { WALLET_TOKEN: token }), 4);
    }
    await renameTable('auth', 'sessions', 'sessions_away');
    const broken = await call(AuthServiceService.exchangeSession, { browserToken }, service);
    await renameTable('auth', 'sessions_away', 'sessions');
    expect(broken.reason).toBe('INTERNAL');
  });

  it('settings of unavailable servers and invalid URLs carry secrets', async () => {
    await wallet(['balance', '--server', '127.0.0.1:1', '--timeout', '500ms']);
    await wallet(['balance', '--tls', '--timeout', '500ms'], '', { WALLET_TOKEN: canaries.bearer });
    const base = {
      PATH: process.env['PATH'] ?? '',
      LOG_LEVEL: 'trace',
      WALLETD_METRICS_LISTEN: 'off',
      WALLETD_HTTP_LISTEN: 'off',
    };
    const url = `postgres://user:${canaries.postgres}@127.0.0.1:9/db`;
    const key = join(world.dataDir, 'signing-key.pem');
    const urls = { AUTH_DATABASE_URL: url, WALLET_DATABASE_URL: url, STATEMENT_DATABASE_URL: url };
    const away = { ...base, ...urls, AUTH_SIGNING_KEY_FILE: key, WALLETD_LISTEN: '127.0.0.1:0' };
    expect(note(await runWalletd([], { env: away })).code).toBe(1);
    const wrong = {
      ...base,
      AUTH_DATABASE_URL: `mysql://u:${canaries.misspelt}@h/db`,
      RABBITMQ_URL: `amqp//u:${canaries.misspelt}@h`,
      SMTP_URL: `smpt:/u:${canaries.misspelt}@h`,
    };
    expect(note(await runWalletd(['config', 'check'], { env: wrong })).code).toBe(2);
    const deaf = await startWalletd({
      ...base,
      WALLETD_LISTEN: '127.0.0.1:0',
      WALLETD_DATA_DIR: join(world.folder, 'deaf'),
      RABBITMQ_URL: `amqp://u:${canaries.otherRabbitmq}@127.0.0.1:9/v`,
    });
    await waitUntil('a word about the broker', () => Promise.resolve(/9/.test(deaf.log())));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    deaf.kill('SIGTERM');
    await deaf.exited;
    said.push(deaf.log());
  });

  it('a poison message with secrets is kept as a dead letter with redacted values', async () => {
    const producer = await createProducer(rabbitmqUrl);
    const data = {
      password: canaries.letterPassword,
      nested: [{ clientSecret: canaries.letterNested, Authorization: canaries.letterNested }],
      accessToken: canaries.letterToken,
      note: `the cookie was ${canaries.browserToken}`,
    };
    await producer.send(JSON.stringify({ pattern: 'transaction_emitted', data }), {
      messageId: 'poison',
    });
    await producer.close();
    const rows = () =>
      queryService<{ body: string }>(world.dataDir, 'wallet', 'SELECT body FROM dead_letters');
    await waitUntil('a dead letter', async () => (await rows()).length === 1);
    expect((await rows())[0]?.body).toContain('[redacted]');
    const listed = await wallet(['dead-letters', 'list', '--json']);
    expectCode(listed, 0);
    expect(listed.stdout).toContain('[redacted]');
  });

  it('requests with secrets fail with an internal error', async () => {
    await renameTable('auth', 'sessions', 'sessions_away');
    const request = {
      email: 'ada@example.com',
      password: canaries.password,
      client: 'x',
      deviceToken: '',
    };
    const broken = await call(AuthServiceService.signIn, request);
    await renameTable('auth', 'sessions_away', 'sessions');
    expect(broken.reason).toBe('INTERNAL');
    await renameTable('wallet', 'transactions', 'transactions_away');
    const listed = await call(
      WalletServiceService.getTransaction,
      { by: { $case: 'transactionId', value: crypto.randomUUID() }, userId: '', currency: '' },
      `Bearer ${issued[0] ?? ''}`,
    );
    await renameTable('wallet', 'transactions_away', 'transactions');
    expect(listed.reason).toBe('INTERNAL');
    expect(world.daemon().log()).toContain('unexpected error');
    expectCode(await wallet(['sign-out']), 0);
    seen = processes.stop();
    expect(seen).toContain('sign-in');
    expect(seen).toContain('keychain-helper');
  });
});

describe('search for secrets', () => {
  const all = (): [string, string][] => [
    ...Object.entries(canaries),
    ...issued.map((secret, i): [string, string] => [`issued ${i}`, secret]),
  ];
  const hits = (text: string): string[] =>
    all()
      .filter(([, secret]) => text.includes(secret))
      .map(([name]) => name);

  it('no secret is in the log', () => {
    expect(world.daemon().log().length).toBeGreaterThan(1_000);
    expect(hits(world.daemon().log())).toEqual([]);
  });

  it('no secret is in the output of the programs or in answers of the server', () => {
    expect(said.length).toBeGreaterThan(20);
    expect(hits(said.join('\n'))).toEqual([]);
  });

  it('no secret is in a command line, or in the environment of a child process', () => {
    expect(hits(seen)).toEqual([]);
  });

  it.each(['auth', 'wallet', 'statement'])(
    'no secret is in a row of the %s database',
    async (service) => {
      const tables = await queryService<{ name: string }>(
        world.dataDir,
        service,
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
      );
      expect(tables.length).toBeGreaterThan(1);
      for (const { name } of tables) {
        const rows = await queryService<{ row: string }>(
          world.dataDir,
          service,
          `SELECT t::text AS row FROM ${name} t`,
        );
        expect(hits(rows.map(({ row }) => row).join('\n')), name).toEqual([]);
      }
    },
  );

  it('no secret is in a file except those that store it', async () => {
    const secrets = all().map(([, secret]) => secret);
    const file = join(world.folder, 'service-credential');
    expect(await findInFiles(secrets, world.folder)).toEqual([
      { text: canaries.service, path: file },
    ]);
    expect(await findInFiles(secrets, '/tmp', 1)).toEqual([]);
  });
});
