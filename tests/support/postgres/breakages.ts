import { setTimeout as sleep } from 'node:timers/promises';

import type { CommitCutter } from './commit-cutter.ts';
import type { TestDatabase } from './database.ts';
import { holdLock } from './hold-lock.ts';

type World = {
  readonly database: TestDatabase;
  /** Between the product and the database. */
  readonly cutter: CommitCutter;
  /** Where the work of the product puts its rows. */
  readonly table: string;
};

type Broken = {
  /** Done while the product works. */
  during?(): Promise<void>;
  heal(): Promise<unknown>;
};

/** One way in which a database is in the way of work that writes rows into a table. */
export type Breakage = {
  readonly name: string;
  /** The work may have been done all the same. */
  readonly mayBeDone: boolean;
  begin(world: World): Promise<Broken>;
};

const ofProduct = "datname = current_database() AND application_name LIKE 'walletd%'";

const end = ({ query }: TestDatabase) =>
  query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${ofProduct}`);

/** Runs a statement about the database that has its name at `%I`. */
const alter = ({ query }: TestDatabase, text: string) =>
  query(`DO $$ BEGIN EXECUTE format('${text}', current_database()); END $$`);

async function refuseConnections(database: TestDatabase): Promise<() => Promise<unknown>> {
  await alter(database, 'REVOKE CONNECT ON DATABASE %I FROM PUBLIC');
  await end(database);
  return () => alter(database, 'GRANT CONNECT ON DATABASE %I TO PUBLIC');
}

/** Resolves once a statement of the product waits for a lock. */
async function untilWaiting({ query }: TestDatabase): Promise<void> {
  const text = `SELECT 1 FROM pg_stat_activity WHERE ${ofProduct} AND wait_event_type = 'Lock'`;
  while ((await query(text)).length === 0) await sleep(20);
}

const lockTable = ({ database, table }: World) =>
  holdLock(database.superUrl, `LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);

/** Each COMMIT that has put a row into the table fails at the server. */
async function refuseCommits({ database, table }: World, sqlState: string): Promise<Broken> {
  await database.query(`CREATE FUNCTION refuse_commit() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '${sqlState}'; END $$`);
  await database.query(`CREATE CONSTRAINT TRIGGER refuses_commit AFTER INSERT ON ${table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_commit()`);
  return { heal: () => database.query('DROP FUNCTION refuse_commit() CASCADE') };
}

export const breakages: readonly Breakage[] = [
  {
    name: 'a database that refuses connections',
    mayBeDone: false,
    begin: async ({ database }) => ({ heal: await refuseConnections(database) }),
  },
  {
    name: 'a database that is read-only',
    mayBeDone: false,
    begin: async ({ database }) => {
      // Of the product's role only: who heals it has to write.
      const role = `ALTER ROLE ${new URL(database.url).username} IN DATABASE %I`;
      await alter(database, `${role} SET default_transaction_read_only = on`);
      await end(database);
      return {
        heal: async () => {
          await alter(database, `${role} RESET default_transaction_read_only`);
          await end(database);
        },
      };
    },
  },
  {
    name: 'a table that is missing',
    mayBeDone: false,
    begin: async ({ database, table }) => {
      await database.query(`ALTER TABLE ${table} RENAME TO ${table}_elsewhere`);
      return { heal: () => database.query(`ALTER TABLE ${table}_elsewhere RENAME TO ${table}`) };
    },
  },
  {
    name: 'a COMMIT that fails for a moment',
    mayBeDone: false,
    begin: (world) => refuseCommits(world, '40001'),
  },
  {
    name: 'a COMMIT that fails for an unknown reason',
    mayBeDone: false,
    begin: (world) => refuseCommits(world, 'P0001'),
  },
  {
    name: 'a connection that is lost during a statement',
    mayBeDone: false,
    begin: async (world) => {
      const { database } = world;
      const release = await lockTable(world);
      let allow: () => Promise<unknown> = () => Promise.resolve();
      return {
        during: async () => {
          await untilWaiting(database);
          allow = await refuseConnections(database);
          await release();
        },
        heal: () => allow(),
      };
    },
  },
  {
    name: 'a statement that is cancelled',
    mayBeDone: false,
    begin: async (world) => {
      const { query } = world.database;
      const release = await lockTable(world);
      const cancel = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE ${ofProduct} AND wait_event_type = 'Lock'`;
      let timer: NodeJS.Timeout | undefined;
      return {
        during: async () => {
          await untilWaiting(world.database);
          timer = setInterval(() => void query(cancel).catch(() => undefined), 100);
        },
        heal: async () => {
          clearInterval(timer);
          await release();
        },
      };
    },
  },
  {
    name: 'a COMMIT whose answer is lost',
    mayBeDone: true,
    begin: ({ cutter }) => {
      cutter.cut(1);
      return Promise.resolve({
        heal: () => {
          cutter.cut(0);
          return Promise.resolve();
        },
      });
    },
  },
  {
    name: 'a COMMIT that does not arrive',
    mayBeDone: true,
    begin: ({ cutter }) => {
      cutter.cut(1, true);
      return Promise.resolve({
        heal: () => {
          cutter.cut(0);
          return Promise.resolve();
        },
      });
    },
  },
];
