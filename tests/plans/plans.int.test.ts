import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../support/postgres/database.ts';
import { mayScan, mayScanYoung, small, withoutSample } from './exceptions.ts';
import { findScans, pagesOf, toLiteral, type Explained } from './explain.ts';
import { fillSql, services, type Service } from './fill.ts';
import { createSamples } from './samples.ts';
import { connectClient } from '../support/postgres/client.ts';

/** Every statement of the daemon: texts by name. The real ones, written down as they are made. */
const statements = vi.hoisted(() => new Map<string, Set<string>>());
vi.mock(import('../../daemon/platform/db/db.ts'), async (importOriginal) => {
  const real = await importOriginal();
  return {
    ...real,
    sql: (name, text) => {
      statements.set(name, (statements.get(name) ?? new Set()).add(text));
      return real.sql(name, text);
    },
  };
});

/** Wallets and users; ten times as many entries. */
const sizes = { few: 1_000, many: 20_000 } as const;
/**
 * Pages for each row that a sample concerns: a lookup in three indexes and their tables at most.
 */
const pagesPerRow = 16;
const pagesAtLeast = 60;

const databases = new Map<Service, TestDatabase>();
/** Statements by the service whose tables they name; those of the platform run in several. */
const namesOf = new Map<Service, string[]>();

beforeAll(async () => {
  await importStores();
  for (const service of services) {
    const database = await createTestDatabase(service);
    databases.set(service, database);
    const names: string[] = [];
    for (const [name] of statements) if (await isOf(database, name)) names.push(name);
    namesOf.set(service, names);
  }
});
afterAll(() => Promise.all([...databases.values()].map((database) => database.drop())));

async function importStores(): Promise<void> {
  for (const file of readdirSync('daemon', { recursive: true, encoding: 'utf8' })) {
    const path = join('daemon', file);
    if (!file.endsWith('.ts') || file.includes('.test.')) continue;
    if (/\bsql\(/.test(readFileSync(path, 'utf8'))) await import(resolve(path));
  }
}

const textOf = (name: string): string => [...(statements.get(name) ?? [])][0] ?? '';

async function isOf(database: TestDatabase, name: string): Promise<boolean> {
  try {
    await explainGeneric(database, name);
    return true;
  } catch (error) {
    // Another service's table, or column of a table that several have.
    if (['42P01', '42703'].includes((error as { code?: string }).code ?? '')) return false;
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

/** The plan that a connection keeps, whatever the values. */
async function explainGeneric(database: TestDatabase, name: string): Promise<Explained> {
  const [row] = await database.query<{ 'QUERY PLAN': Explained }>(
    `EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${textOf(name)}`,
  );
  if (!row) throw new Error(`${name} has no plan`);
  return row['QUERY PLAN'];
}

/** Runs a statement as the daemon would, and takes back what it did. */
async function run(
  client: pg.Client,
  name: string,
  values: readonly unknown[],
  mode: 'force_custom_plan' | 'force_generic_plan',
): Promise<Explained> {
  await client.query('BEGIN');
  try {
    await client.query(`SET LOCAL plan_cache_mode = ${mode}`);
    await client.query(`PREPARE sample AS ${textOf(name)}`);
    const list = values.length > 0 ? `(${values.map(toLiteral).join(', ')})` : '';
    const { rows } = await client.query<{ 'QUERY PLAN': Explained }>(
      `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE sample${list}`,
    );
    if (!rows[0]) throw new Error('no plan');
    return rows[0]['QUERY PLAN'];
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  } finally {
    await client.query('ROLLBACK');
    await client.query('DEALLOCATE ALL');
  }
}

/** Statements that read a table from one end to the other, with their plans' nodes. */
async function findAllScans(
  database: TestDatabase,
  names: readonly string[],
  allowed: Readonly<Record<string, string>>,
): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const name of names) {
    const scans = name in allowed ? [] : findScans(await explainGeneric(database, name), small);
    if (scans.length > 0) found[name] = scans;
  }
  return found;
}

/** Samples that touch more pages than their rows explain, or scan. */
async function findHungry(database: TestDatabase, names: readonly string[], size: number) {
  const samples = createSamples(size);
  const found: Record<string, unknown> = {};
  const client = await connectClient(database.superUrl);
  try {
    for (const name of names) {
      const sample = samples[name];
      if (!sample) continue;
      for (const mode of ['force_custom_plan', 'force_generic_plan'] as const) {
        const pages = pagesOf(await run(client, name, sample.values, mode));
        const most = pagesAtLeast + pagesPerRow * sample.rows;
        if (pages > most) found[`${name}, ${mode}`] = { pages, most };
      }
    }
  } finally {
    await client.end();
  }
  return found;
}

const fill = async (service: Service, from: number, to: number): Promise<void> => {
  for (const text of fillSql[service]) await databases.get(service)?.query(text, [from, to]);
};

it('every statement has one text, a database, and a sample or a reason for none', () => {
  expect(statements.size).toBeGreaterThan(100);
  const samples = Object.keys(createSamples(sizes.few));
  const classified = [...samples, ...Object.values(withoutSample).flat()];
  expect([...statements].filter(([, texts]) => texts.size > 1).map(([name]) => name)).toEqual([]);
  expect([...statements.keys()].sort()).toEqual([...classified].sort());
  expect(new Set([...namesOf.values()].flat())).toEqual(new Set(statements.keys()));
  const allowed = Object.keys({ ...mayScan, ...mayScanYoung });
  expect(allowed.filter((name) => !statements.has(name))).toEqual([]);
});

describe.each(services)('statements of %s', (service) => {
  const database = (): TestDatabase => {
    const found = databases.get(service);
    if (!found) throw new Error(`no database of ${service}`);
    return found;
  };
  const names = (): readonly string[] => namesOf.get(service) ?? [];

  it('statements scan no grown table without statistics, and few pages of small ones', async () => {
    const tables = await database().query<{ name: string }>(
      `SELECT relname AS name FROM pg_class
       WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    );
    for (const { name } of tables) {
      await database().query(`ALTER TABLE ${name} SET (autovacuum_enabled = false)`);
    }
    await fill(service, 0, sizes.few);
    expect(await findHungry(database(), names(), sizes.few)).toEqual({});
    await fill(service, sizes.few, sizes.many);
    const allowed = { ...mayScan, ...mayScanYoung };
    expect(await findAllScans(database(), names(), allowed)).toEqual({});
  });

  it('statements scan no large table, and read as few pages as with a small one', async () => {
    await database().query('ANALYZE');
    expect(await findAllScans(database(), names(), mayScan)).toEqual({});
    expect(await findHungry(database(), names(), sizes.many)).toEqual({});
  });
});

it('a missing index is found by its scans and its pages', async () => {
  const wallet = databases.get('wallet');
  if (!wallet) throw new Error('no database of wallet');
  await wallet.query('ALTER TABLE transactions DROP CONSTRAINT transactions_id_wallet_id_key');
  const found = await findAllScans(wallet, namesOf.get('wallet') ?? [], mayScan);
  expect(Object.keys(found).sort()).toEqual([
    ...['entry_list_prefix_asc', 'entry_list_prefix_desc', 'entry_made_since', 'entry_of_owner'],
    ...['entry_parents_of_owners', 'verify_sides', 'verify_sides_of'],
  ]);
  expect(await findHungry(wallet, ['entry_by_id'], sizes.many)).not.toEqual({});
});
