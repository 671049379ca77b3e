import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  createTestDatabase,
  type TestDatabase,
} from '../../../../tests/support/postgres/database.ts';
import { createLog } from '../../log.ts';
import { checkSchema, migrate } from './migrate.ts';

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase('auth', { isEmpty: true });
  folder = await mkdtemp(join(tmpdir(), 'dw-migrations-'));
  await add(first, accountsSql);
  await writeFile(join(folder, 'grants.sql'), grants);
});

afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

const run = () =>
  migrate({
    ownerUrl: database.ownerUrl,
    folder,
    runtimeRole: 'auth_app',
    log: createLog('silent'),
  });

const check = () => checkSchema({ url: database.url, folder });

const first = '0001-accounts';
const accountsSql = `CREATE TABLE users (id uuid PRIMARY KEY, email text NOT NULL);
CREATE TABLE sessions (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users (id));`;
const grants = `REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {{runtime_role}};
GRANT USAGE ON SCHEMA public TO {{runtime_role}};
GRANT SELECT ON schema_migrations TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE ON users, sessions TO {{runtime_role}}`;

const add = (name: string, sql: string, minCompatible = 1) =>
  writeFile(join(folder, `${name}.sql`), `-- min-compatible: ${minCompatible}\n${sql}`);

async function tables(): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1`,
  );
  return rows.map((row) => row.name);
}

async function appliedVersions(): Promise<number[]> {
  const rows = await database.query<{ version: number }>('SELECT version FROM schema_migrations');
  return rows.map((row) => row.version).sort();
}

describe('migrate', () => {
  it('migrate creates the schema in an empty database, and then changes nothing', async () => {
    expect(await run()).toEqual({ ok: true, applied: [first] });
    expect(await tables()).toEqual([
      ...['schema_grants', 'schema_migrations', 'sessions', 'users'],
    ]);
    const before = await database.query('SELECT * FROM schema_migrations');
    expect(await run()).toEqual({ ok: true, applied: [] });
    expect(await database.query('SELECT * FROM schema_migrations')).toEqual(before);
  });

  it('twenty concurrent starts apply each migration once', async () => {
    await add('0002-more', 'SELECT pg_sleep(0.05); CREATE TABLE more (id int);');
    const outcomes = await Promise.all(Array.from({ length: 20 }, run));
    expect(outcomes.filter((outcome) => !outcome.ok)).toEqual([]);
    const applied = outcomes.flatMap((outcome) => (outcome.ok ? outcome.applied : []));
    expect(applied).toEqual([first, '0002-more']);
    expect(await appliedVersions()).toEqual([1, 2]);
  });

  it('migrate applies only the migrations that an earlier release did not have', async () => {
    await run();
    await database.query(
      "INSERT INTO users (id, email) VALUES (gen_random_uuid(), 'ana@example.com')",
    );
    await add('0002-more', 'CREATE TABLE more (id int);');
    expect(await run()).toEqual({ ok: true, applied: ['0002-more'] });
    expect(await database.query('SELECT 1 FROM users')).toHaveLength(1);
  });

  it('a failed migration is rolled back, and is applied once it is fixed', async () => {
    await add('0002-more', 'CREATE TABLE half (id int); SELECT 1 / 0; CREATE TABLE done (id int);');
    await expect(run()).rejects.toThrow('migration 0002-more failed');
    expect(await tables()).not.toContain('half');
    expect(await appliedVersions()).toEqual([1]);
    await add('0002-more', 'CREATE TABLE half (id int);');
    expect(await run()).toEqual({ ok: true, applied: ['0002-more'] });
  });

  it('a migration that cannot be recorded as applied is rolled back', async () => {
    await add(
      '0002-more',
      'CREATE TABLE half (id int); ALTER TABLE schema_migrations ADD CHECK (version < 2);',
    );
    await expect(run()).rejects.toThrow('migration 0002-more failed');
    expect(await tables()).not.toContain('half');
  });

  it('a failed run releases the advisory lock for the next', async () => {
    await add('0002-more', 'SELECT 1 / 0;');
    const outcomes = await Promise.allSettled([run(), run(), run()]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(Array(3).fill('rejected'));
  });
});

describe('migrations that cannot be applied', () => {
  it('a start fails for an applied migration whose file was changed, and names it', async () => {
    await run();
    await appendFile(join(folder, `${first}.sql`), '\n-- only a comment\n');
    for (const outcome of [await run(), await check()]) {
      expect(outcome).toMatchObject({
        ok: false,
        fault: `migration ${first} was changed after it had been applied`,
      });
    }
  });

  it('other line ends, as in a checkout on Windows, do not change a migration', async () => {
    await add('0002-more', 'CREATE TABLE more (\n  id int\n);\n');
    await run();
    const text = '-- min-compatible: 1\nCREATE TABLE more (\n  id int\n);\n';
    await writeFile(join(folder, '0002-more.sql'), text.replaceAll('\n', '\r\n'));
    expect(await run()).toEqual({ ok: true, applied: [] });
  });

  it('migrate rejects a gap in the numbers and a number that is used twice', async () => {
    await add('0003-later', 'SELECT 1;');
    await expect(run()).rejects.toThrow('0003-later.sql leaves a gap');
    await rm(join(folder, '0003-later.sql'));
    await add('0001-rival', 'SELECT 1;');
    await expect(run()).rejects.toThrow('gap');
    expect(await tables()).toEqual([]);
  });

  it('migrate rejects a file without a min-compatible header', async () => {
    await writeFile(join(folder, '0002-more.sql'), 'SELECT 1;');
    await expect(run()).rejects.toThrow('min-compatible');
  });
});

describe('a schema of a newer release', () => {
  const upgrade = async (minCompatible: number) => {
    await add('0002-newer', 'CREATE TABLE newer (id int);', minCompatible);
    await run();
    await rm(join(folder, '0002-newer.sql'));
  };

  it('a newer schema that is compatible with this program is left unchanged', async () => {
    await upgrade(1);
    expect(await run()).toEqual({ ok: true, applied: [] });
    expect(await check()).toEqual({ ok: true, applied: [] });
    expect(await tables()).toContain('newer');
  });

  it('a start on a newer schema keeps the privileges that the newer release granted', async () => {
    await upgrade(1);
    await database.query('GRANT SELECT ON newer TO auth_app');
    await run();
    const [row] = await database.query<{ may: boolean }>(
      "SELECT has_table_privilege('auth_app', 'newer', 'SELECT') AS may",
    );
    expect(row?.may).toBe(true);
  });

  it('a start fails on a newer schema that requires a newer program', async () => {
    await upgrade(2);
    for (const outcome of [await run(), await check()]) {
      expect(outcome).toMatchObject({
        ok: false,
        fault: expect.stringContaining('needs a program that knows migration 2') as string,
      });
    }
  });
});

describe('a check without migrating', () => {
  it('a check names the missing migrations and changes nothing', async () => {
    expect(await check()).toMatchObject({ ok: false, fault: `the schema lacks ${first}` });
    expect(await tables()).toEqual([]);
    await run();
    expect(await check()).toEqual({ ok: true, applied: [] });
  });

  it('a check that cannot read schema_migrations does not report a missing schema', async () => {
    await run();
    await database.query('REVOKE ALL ON schema_migrations FROM auth_app');
    expect(await check()).toMatchObject({
      ok: false,
      fault: 'schema_migrations cannot be read: this role lacks a right',
      hint: expect.stringContaining('walletd migrate') as string,
    });
    await database.query('GRANT SELECT ON schema_migrations TO auth_app');
    await database.query('ALTER TABLE schema_migrations RENAME COLUMN checksum TO other');
    expect(await check()).toMatchObject({
      ok: false,
      fault: expect.stringContaining('of another release') as string,
    });
  });
});

describe('a database of an earlier development version', () => {
  const recreateHint = 'run `dropdb auth`';
  const earlier = ['0001-accounts', '0002-access', '0003-totp'];
  const options = () => ({ ownerUrl: database.ownerUrl, url: database.url, folder });

  it('a start names the unknown migration and the command that makes a new database', async () => {
    for (const [index, name] of earlier.slice(1).entries()) await add(name, 'SELECT 1;', index + 2);
    expect(await run()).toEqual({ ok: true, applied: earlier });
    for (const name of earlier) await rm(join(folder, `${name}.sql`));
    await add('0001-schema', accountsSql);
    const before = await tables();
    const log = createLog('silent');
    const migrating = migrate({ ...options(), runtimeRole: 'auth_app', recreateHint, log });
    for (const outcome of [await migrating, await checkSchema({ ...options(), recreateHint })]) {
      expect(outcome).toEqual({
        ok: false,
        fault:
          'an earlier development version created this database: it has migration ' +
          '0001-accounts, this version has 0001-schema',
        hint: 'its data cannot be converted. run `dropdb auth`',
      });
    }
    expect(await tables()).toEqual(before);
  });

  it('a start names the command also where the first migration was edited in place', async () => {
    await run();
    await add(first, `${accountsSql} CREATE TABLE more (id int);`);
    expect(await checkSchema({ ...options(), recreateHint })).toMatchObject({
      ok: false,
      fault: `migration ${first} was changed after it had been applied`,
      hint: expect.stringContaining('cannot be converted. run `dropdb auth`') as string,
    });
  });
});
