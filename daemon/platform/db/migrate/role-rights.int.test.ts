import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createTestDatabase,
  type TestDatabase,
} from '../../../../tests/support/postgres/database.ts';
import { connectClient } from '../../../../tests/support/postgres/client.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase('wallet');
});

afterAll(() => database.drop());

describe('the runtime role', () => {
  async function stateOf(sql: string): Promise<string> {
    const client = await connectClient(database.url);
    try {
      await client.query(sql);
      return 'done';
    } catch (err) {
      return err instanceof pg.DatabaseError ? (err.code ?? '') : String(err);
    } finally {
      await client.end();
    }
  }

  it.each([
    'UPDATE transactions SET amount = 1',
    'UPDATE transactions SET description = NULL',
    'DELETE FROM transactions',
    'TRUNCATE transactions',
    'DROP TABLE transactions',
    'ALTER TABLE transactions DROP COLUMN hash',
    'ALTER TABLE transactions DISABLE TRIGGER ALL',
    'CREATE RULE r AS ON INSERT TO transactions DO INSTEAD NOTHING',
    'SELECT 1 FROM transactions FOR UPDATE',
    'DELETE FROM wallets',
    'TRUNCATE wallets',
    'UPDATE wallets SET user_id = user_id',
    'UPDATE wallets SET currency = currency',
    'UPDATE schema_migrations SET checksum = checksum',
    'DELETE FROM schema_migrations',
    'CREATE TABLE own (id int)',
    'CREATE SCHEMA own',
    'SET ROLE wallet_owner',
  ])('the runtime role may not run %s', async (sql) => {
    // 42501: insufficient_privilege.
    expect(await stateOf(sql)).toBe('42501');
  });

  it.each([
    'SELECT 1 FROM transactions',
    'UPDATE wallets SET balance = balance, seq = seq, status = status',
    'DELETE FROM outbox',
    'SELECT 1 FROM schema_migrations',
  ])('the runtime role may run %s', async (sql) => {
    expect(await stateOf(sql)).toBe('done');
  });

  it('the runtime role cannot grant a privilege that it lacks', async () => {
    await stateOf('GRANT UPDATE ON transactions TO PUBLIC');
    expect(await stateOf('UPDATE transactions SET amount = 1')).toBe('42501');
  });
});
