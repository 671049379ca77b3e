import { appendFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../tests/support/database.ts';
import { createLog } from './log.ts';
import { checkSchema, migrate } from './migrate.ts';

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase('auth', { isEmpty: true });
  folder = await mkdtemp(join(tmpdir(), 'dw-migrations-'));
  // The first migration alone: what came later is of no concern here.
  await cp(`migrations/auth/${first}.sql`, join(folder, `${first}.sql`));
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

const accounts = ['refresh_tokens', 'revocations', 'schema_migrations', 'sessions', 'users'];
const first = '0001-accounts';
const grants = `REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {{runtime_role}};
GRANT USAGE ON SCHEMA public TO {{runtime_role}};
GRANT SELECT ON schema_migrations TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE ON users, sessions TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_tokens, revocations TO {{runtime_role}}`;

describe('migrate', () => {
  it('brings an empty database to the schema, and the second time does nothing', async () => {
    expect(await run()).toEqual({ ok: true, applied: [first] });
    expect(await tables()).toEqual(expect.arrayContaining(accounts));
    const before = await database.query('SELECT * FROM schema_migrations');
    expect(await run()).toEqual({ ok: true, applied: [] });
    expect(await database.query('SELECT * FROM schema_migrations')).toEqual(before);
  });

  it('applies each migration once, however many daemons start at once', async () => {
    await add('0002-more', 'SELECT pg_sleep(0.05); CREATE TABLE more (id int);');
    const outcomes = await Promise.all(Array.from({ length: 20 }, run));
    expect(outcomes.filter((outcome) => !outcome.ok)).toEqual([]);
    const applied = outcomes.flatMap((outcome) => (outcome.ok ? outcome.applied : []));
    expect(applied).toEqual([first, '0002-more']);
    expect(await appliedVersions()).toEqual([1, 2]);
  });

  it('goes on from where an earlier release had come', async () => {
    await run();
    await database.query(
      `INSERT INTO users (id, email, password_hash, role, email_verified)
       VALUES (gen_random_uuid(), 'ana@example.com', '', 'customer', true)`,
    );
    await add('0002-more', 'CREATE TABLE more (id int);');
    expect(await run()).toEqual({ ok: true, applied: ['0002-more'] });
    expect(await database.query('SELECT 1 FROM users')).toHaveLength(1);
  });

  it('a failing migration leaves nothing half done, and is taken up again once mended', async () => {
    await add('0002-more', 'CREATE TABLE half (id int); SELECT 1 / 0; CREATE TABLE done (id int);');
    await expect(run()).rejects.toThrow('migration 0002-more failed');
    expect(await tables()).not.toContain('half');
    expect(await appliedVersions()).toEqual([1]);
    await add('0002-more', 'CREATE TABLE half (id int);');
    expect(await run()).toEqual({ ok: true, applied: ['0002-more'] });
  });

  it('a migration that cannot be noted as applied is not applied', async () => {
    await add(
      '0002-more',
      'CREATE TABLE half (id int); ALTER TABLE schema_migrations ADD CHECK (version < 2);',
    );
    await expect(run()).rejects.toThrow('migration 0002-more failed');
    expect(await tables()).not.toContain('half');
  });

  it('a failed run gives the way free for the next', async () => {
    await add('0002-more', 'SELECT 1 / 0;');
    const outcomes = await Promise.allSettled([run(), run(), run()]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(Array(3).fill('rejected'));
  });
});

describe('refused', () => {
  it('a file that was changed after it had been applied, by name', async () => {
    await run();
    await appendFile(join(folder, `${first}.sql`), '\n-- only a comment\n');
    for (const outcome of [await run(), await check()]) {
      expect(outcome).toMatchObject({
        ok: false,
        fault: `migration ${first} was changed after it had been applied`,
      });
    }
  });

  it('but not one with other line ends, as a checkout on Windows has', async () => {
    await add('0002-more', 'CREATE TABLE more (\n  id int\n);\n');
    await run();
    const text = '-- min-compatible: 1\nCREATE TABLE more (\n  id int\n);\n';
    await writeFile(join(folder, '0002-more.sql'), text.replaceAll('\n', '\r\n'));
    expect(await run()).toEqual({ ok: true, applied: [] });
  });

  it('a gap in the numbers, or a number given twice', async () => {
    await add('0003-later', 'SELECT 1;');
    await expect(run()).rejects.toThrow('0003-later.sql leaves a gap');
    await rm(join(folder, '0003-later.sql'));
    await add('0001-rival', 'SELECT 1;');
    await expect(run()).rejects.toThrow('gap');
    expect(await tables()).toEqual([]);
  });

  it('a file that does not say which programs it takes', async () => {
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

  it('that still takes this program is left as it is', async () => {
    await upgrade(1);
    expect(await run()).toEqual({ ok: true, applied: [] });
    expect(await check()).toEqual({ ok: true, applied: [] });
    expect(await tables()).toContain('newer');
  });

  it('keeps the rights that the newer release gave', async () => {
    await upgrade(1);
    await database.query('GRANT SELECT ON newer TO auth_app');
    await run();
    const [row] = await database.query<{ may: boolean }>(
      "SELECT has_table_privilege('auth_app', 'newer', 'SELECT') AS may",
    );
    expect(row?.may).toBe(true);
  });

  it('that no longer takes this program is refused, and told so', async () => {
    await upgrade(2);
    for (const outcome of [await run(), await check()]) {
      expect(outcome).toMatchObject({
        ok: false,
        fault: expect.stringContaining('needs a program that knows migration 2') as string,
      });
    }
  });
});

describe('a daemon that may not migrate', () => {
  it('is told what is missing, and changes nothing', async () => {
    expect(await check()).toMatchObject({ ok: false, fault: `the schema lacks ${first}` });
    expect(await tables()).toEqual([]);
    await run();
    expect(await check()).toEqual({ ok: true, applied: [] });
  });

  it('is told of what is in the way, and not that the schema lacks something', async () => {
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
