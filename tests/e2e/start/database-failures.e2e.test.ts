import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { runWalletd, type Environment } from '../../../scripts/product.ts';
import { holdLock } from '../../support/postgres/hold-lock.ts';
import { expectExplained } from '../../support/processes/explained.ts';
import { createOwnSite, type OwnSite } from '../../support/processes/own-site.ts';
import { runProcess, waitFor } from '../../support/processes/process.ts';
import { expectCode, password } from '../../support/processes/world.ts';

let site: OwnSite;
const releases: (() => unknown)[] = [];

beforeAll(async () => {
  site = await createOwnSite();
  expectCode(await runWalletd(['migrate'], { env: { ...site.env, ...site.owners } }), 0);
});
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});
afterAll(() => site.dispose());

const run = (args: readonly string[], env: Environment = {}, input?: string) =>
  runWalletd(args, {
    env: { ...site.env, ...env },
    ...(input === undefined ? {} : { input }),
  });
const create = ['users', 'create', '--email', 'ana@example.com', '--role', 'admin'];

describe('refused starts and migrations', () => {
  const other = (user: string, database: string) => ({
    AUTH_DATABASE_URL: site.url(user, database),
  });
  const owner = (user: string) => ({
    ...site.owners,
    AUTH_MIGRATION_DATABASE_URL: site.url(user, 'auth'),
  });
  const cases: [string, string[], () => Environment, RegExp, RegExp][] = [
    [
      'a role that is not there',
      ['start'],
      () => other('nobody_at_all', 'auth'),
      /auth database.*role "nobody_at_all"/,
      /hint: correct the user/,
    ],
    [
      'a database that is not there',
      ['start'],
      () => other('auth_app', 'none'),
      /auth database.*"none" does not exist/,
      /hint: create the database/,
    ],
    [
      'an owner without rights',
      ['migrate'],
      () => owner('wallet_owner'),
      /auth database.*permission denied/,
      /hint: give the role of AUTH_MIGRATION_DATABASE_URL/,
    ],
    [
      'a URL without a role',
      ['migrate'],
      () => ({
        ...site.owners,
        AUTH_DATABASE_URL: `postgres://127.0.0.1:${site.server.port}/auth`,
      }),
      /AUTH_DATABASE_URL: names no role/,
      /hint: write it as/,
    ],
    [
      'more connections than it allows',
      ['start'],
      () => ({ DATABASE_CONNECTIONS: '20' }),
      /max_connections is 60.*may open 60/,
      /hint: set max_connections to 63 or more, or DATABASE_CONNECTIONS to 19 or less/,
    ],
    [
      'an address that cannot be had',
      ['start'],
      () => ({ WALLETD_LISTEN: '192.0.2.1:50051', WALLETD_ALLOW_PLAINTEXT: '1' }),
      /cannot listen on 192\.0\.2\.1:50051/,
      /hint: .*WALLETD_LISTEN/,
    ],
    [
      'a name that does not resolve',
      ['start'],
      () => ({ WALLETD_LISTEN: 'no.such.host.invalid:50051', WALLETD_ALLOW_PLAINTEXT: '1' }),
      /cannot listen on no\.such\.host\.invalid:50051/,
      /hint: .*WALLETD_LISTEN/,
    ],
  ];
  it.each(cases)(
    'walletd reports %s, with a remedy',
    async (_what, args, env, reported, remedy) => {
      const done = await run(args, env());
      expectExplained(done, 1, reported);
      expect(done.stderr).toMatch(remedy);
    },
  );

  it('a connection limit of the role is reported with a remedy', async () => {
    await site.server.query('ALTER ROLE wallet_app CONNECTION LIMIT 12');
    releases.push(() => site.server.query('ALTER ROLE wallet_app CONNECTION LIMIT -1'));
    const done = await run(['start']);
    expectExplained(done, 1, /wallet database allows its role 12 connections.*may open 16/);
    expect(done.stderr).toMatch(/DATABASE_CONNECTIONS to 12 or less/);
  });

  it('existing tables with names of the service are reported with a remedy', async () => {
    const otherSite = 'auth_taken';
    await site.server.query(`CREATE DATABASE ${otherSite} OWNER auth_owner`);
    await site.query(otherSite, 'CREATE TABLE users (id int)');
    const env = {
      ...site.owners,
      AUTH_DATABASE_URL: site.url('auth_app', otherSite),
      AUTH_MIGRATION_DATABASE_URL: site.url('auth_owner', otherSite),
    };
    const done = await run(['migrate'], env);
    expectExplained(done, 1, /auth database.*"users" already exists/);
    expect(done.stderr).toMatch(/hint: .*must name a database that is the service's own/);
  });

  it('commands on an empty database refuse it, and create no schema', async () => {
    await site.server.query('CREATE DATABASE auth_empty OWNER auth_owner');
    const env = {
      AUTH_DATABASE_URL: site.url('auth_app', 'auth_empty'),
      AUTH_MIGRATION_DATABASE_URL: site.url('auth_owner', 'auth_empty'),
      WALLETD_MIGRATE: 'on',
    };
    const done = await run(create, env, password);
    expectExplained(done, 1, /auth database: the schema lacks 0001-/);
    const place = `auth database "auth_empty" at 127.0.0.1:${site.server.port}`;
    expect(done.stderr).toContain(`walletd: ${place} (AUTH_DATABASE_URL)\n`);
    expect(done.stderr).toMatch(/hint: run `walletd migrate`/);
    const tables = "SELECT 1 FROM pg_tables WHERE schemaname = 'public'";
    expect(await site.query('auth_empty', tables)).toEqual([]);
  });

  it('a missing privilege on schema_migrations is not reported as an empty schema', async () => {
    await site.query('auth', 'REVOKE SELECT ON schema_migrations FROM auth_app');
    releases.push(() => site.query('auth', 'GRANT SELECT ON schema_migrations TO auth_app'));
    const done = await run(['start']);
    expectExplained(
      done,
      1,
      /auth database.*schema_migrations cannot be read: this role lacks a right/,
    );
    expect(done.stderr).not.toContain('the schema lacks');
  });
});

describe('lost databases', () => {
  const commands: [string, string[], string?][] = [
    ['start', ['start']],
    ['migrate', ['migrate']],
    ['users create', create, password],
    ['users reset-password', ['users', 'reset-password', '--email', 'ana@example.com'], password],
    ['users reset-totp', ['users', 'reset-totp', '--email', 'ana@example.com']],
    ['statements rebuild', ['statements', 'rebuild']],
    ['wallets accept-clock-ahead', ['wallets', 'accept-clock-ahead', '--all', '--note', 'x']],
  ];
  it.each(commands)('a database unavailable before %s is reported', async (_what, args, input) => {
    const away = 'postgres://u@127.0.0.1:9/d';
    const env = Object.fromEntries(
      ['AUTH', 'WALLET', 'STATEMENT'].flatMap((name) => [
        [`${name}_DATABASE_URL`, away],
        [`${name}_MIGRATION_DATABASE_URL`, away.replace('u@', 'owner@')],
      ]),
    );
    expectExplained(await run(args, env, input), 1, /database cannot be used: .*ECONNREFUSED/);
  });

  const during: [string, string[], string, string?][] = [
    ['users create', create, 'users', password],
    [
      'users reset-password',
      ['users', 'reset-password', '--email', 'ana@example.com'],
      'users',
      password,
    ],
    ['start', ['start'], 'users'],
  ];
  it.each(during)(
    'a database that is lost during %s is reported',
    async (_what, args, table, input) => {
      releases.push(await holdLock(site.server.url({ database: 'auth' }), `LOCK TABLE ${table}`));
      const running = runProcess(args, site.env);
      running.child.stdin?.end(input ?? '');
      const waiting = (what: string) =>
        site.server.query(
          `SELECT ${what} FROM pg_stat_activity
         WHERE application_name LIKE 'walletd %' AND wait_event_type = 'Lock'`,
        );
      await waitFor('a wait for the table', async () => (await waiting('1')).length > 0);
      await waiting('pg_terminate_backend(pid)');
      const code = await running.end();
      const done = { code: typeof code === 'number' ? code : null, stderr: running.said() };
      expectExplained(done, 1, /auth database cannot be used: .*(terminat|administrator)/i);
    },
  );
});

describe('tables of others in the schema public', () => {
  it('tables of other owners in the schema public do not stop a start', async () => {
    const late = 'statement_late';
    await site.server.query(`CREATE DATABASE ${late} OWNER statement_owner`);
    for (const database of ['auth', 'wallet', late]) {
      await site.query(database, 'CREATE TABLE theirs (id int)');
    }
    const env = {
      ...site.env,
      ...site.owners,
      STATEMENT_DATABASE_URL: site.url('statement_app', late),
      STATEMENT_MIGRATION_DATABASE_URL: site.url('statement_owner', late),
    };
    for (const start of ['first', 'second']) {
      const daemon = runProcess(['start'], env);
      await waitFor('ready or its end', () => /walletd ready|hint: /.test(daemon.said()));
      daemon.child.kill('SIGTERM');
      const how = await daemon.end();
      expect({ start, how, said: daemon.said() }).toMatchObject({ how: 0 });
      expect(daemon.said()).toContain('walletd ready');
    }
  });
});
