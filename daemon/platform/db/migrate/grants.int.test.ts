import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  createTestDatabase,
  type TestDatabase,
} from '../../../../tests/support/postgres/database.ts';
import { createLog } from '../../log.ts';
import { migrate } from './migrate.ts';

const services = ['auth', 'wallet', 'statement'] as const;
let folder: string;
let database: TestDatabase;

async function open(service: (typeof services)[number]): Promise<void> {
  database = await createTestDatabase(service);
  folder = await mkdtemp(join(tmpdir(), 'dw-grants-'));
  await cp(`migrations/${service}`, folder, { recursive: true });
}

beforeEach(() => open('wallet'));
afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

const run = (runtimeRole = 'wallet_app') =>
  migrate({ ownerUrl: database.ownerUrl, folder, runtimeRole, log: createLog('silent') });

/** Adds the migration of a newer release. */
async function addMigration(text = 'SELECT 1;'): Promise<string> {
  const count = (await readdir(folder)).filter((name) => /^\d{4}-/.test(name)).length;
  const name = `${String(count + 1).padStart(4, '0')}-next`;
  await writeFile(join(folder, `${name}.sql`), `-- min-compatible: 1\n${text}`);
  return name;
}

/** Each privilege of a role on a table or a column of the service. */
async function privilegesOf(role: string): Promise<string[]> {
  const rows = await database.query<{ text: string }>(
    `SELECT table_name || ' ' || privilege_type AS text
     FROM information_schema.role_table_grants WHERE grantee = '${role}'
     UNION
     SELECT table_name || '.' || column_name || ' ' || privilege_type
     FROM information_schema.role_column_grants WHERE grantee = '${role}'
     ORDER BY 1`,
  );
  return rows.map((row) => row.text);
}

/** Changes with each GRANT and REVOKE, also with one that changes nothing. */
const readAclVersions = () =>
  database.query(
    `SELECT relname, xmin::text FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1`,
  );

describe('privileges of the runtime role', () => {
  it('a start that migrates nothing grants and revokes nothing', async () => {
    expect(await run()).toMatchObject({ ok: true });
    const before = await readAclVersions();
    expect(await run()).toEqual({ ok: true, applied: [] });
    expect(await readAclVersions()).toEqual(before);
  });

  it.each(services)(
    'a migration of %s grants privileges by table name and revokes all others',
    async (name) => {
      await database.drop();
      await rm(folder, { recursive: true });
      await open(name);
      const before = await privilegesOf(`${name}_app`);
      expect(before.length).toBeGreaterThan(10);
      await database.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${name}_app`);
      // The records of this table are the owner's alone.
      await database.query(`REVOKE ALL ON schema_grants FROM ${name}_app`);
      expect((await privilegesOf(`${name}_app`)).length).toBeGreaterThan(before.length);
      const added = await addMigration();
      expect(await run(`${name}_app`)).toEqual({ ok: true, applied: [added] });
      expect(await privilegesOf(`${name}_app`)).toEqual(before);
    },
  );

  it('a migration leaves tables, views and functions of other roles alone', async () => {
    await database.query('CREATE TABLE theirs (id int)');
    await database.query('CREATE VIEW their_view AS SELECT 1 AS one');
    await database.query('GRANT SELECT ON theirs TO wallet_app');
    await database.query('CREATE FUNCTION their_function() RETURNS int LANGUAGE sql RETURN 1');
    expect(await run()).toMatchObject({ ok: true });
    await addMigration();
    expect(await run()).toMatchObject({ ok: true });
    expect(await privilegesOf('wallet_app')).toContain('theirs SELECT');
  });

  it('privileges that a failed start did not grant are granted by the next', async () => {
    const before = await privilegesOf('wallet_app');
    await addMigration('REVOKE ALL ON wallets FROM wallet_app;');
    const grants = await readFile(join(folder, 'grants.sql'), 'utf8');
    await writeFile(join(folder, 'grants.sql'), `${grants};\nSELECT 1 / 0`);
    await expect(run()).rejects.toThrow('cannot grant the privileges');
    expect(await privilegesOf('wallet_app')).not.toEqual(before);
    await writeFile(join(folder, 'grants.sql'), grants);
    expect(await run()).toEqual({ ok: true, applied: [] });
    expect(await privilegesOf('wallet_app')).toEqual(before);
  });

  it('a start grants to another role, and to a role that lost its privileges', async () => {
    const before = await privilegesOf('wallet_app');
    await run();
    await database.query('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM wallet_app');
    await run();
    expect(await privilegesOf('wallet_app')).toEqual(before);
    await run('statement_app');
    expect(await privilegesOf('statement_app')).toEqual(before);
  });

  it('a start grants again if only the list of privileges changed', async () => {
    await run();
    const file = join(folder, 'grants.sql');
    const grants = await readFile(file, 'utf8');
    await writeFile(file, `${grants};\nGRANT DELETE ON inbox TO {{runtime_role}}`);
    expect(await run()).toEqual({ ok: true, applied: [] });
    expect(await privilegesOf('wallet_app')).toContain('inbox DELETE');
  });
});
