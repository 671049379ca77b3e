import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type pg from 'pg';
import { expect } from 'vitest';

import { GenerateStatementRequest } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  StatementServiceService,
  StatementStatus,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  runWalletd,
  type Daemon,
  type Environment,
  type Finished,
} from '../../../scripts/product.ts';
import { findFreePort } from '../../support/free-port.ts';
import { connect } from '../../support/grpc/client.ts';
import { compareDatabases, waitUntil } from '../../support/ledger/ledger.ts';
import { makeServerFolder, startPostgres } from '../../support/postgres/server.ts';
import type { PostgresServer } from '../../support/postgres/server.ts';
import { createServerWorld } from '../../support/processes/server-world.ts';
import { expectCode } from '../../support/processes/world.ts';
import { deposit, type Deposit, type Load } from './load.ts';
import { queryUrl } from '../../support/postgres/client.ts';

export const services = ['auth', 'wallet', 'statement'] as const;

/** Which server has the database of each service. */
export type Places = Readonly<Record<(typeof services)[number], PostgresServer>>;

export const allOn = (one: PostgresServer): Places => ({ auth: one, wallet: one, statement: one });

/** A migrated server with an archive of its WAL, and daemons on it or on what is made from it. */
export type ArchivedWorld = {
  readonly server: PostgresServer;
  /** For dumps and base backups. */
  readonly folder: string;
  /** `hosts`: further servers of each URL, tried after the first. */
  start(places: Places, hosts?: readonly PostgresServer[]): Promise<Daemon>;
  stop(daemon: Daemon): Promise<void>;
  /** `walletd` with the settings of that daemon. */
  walletd(places: Places, args: readonly string[]): Promise<Finished>;
  /** A page of the metrics listener. */
  readPage(path: string): Promise<string>;
  /** Until all that was written is in the archive. */
  archiveAll(): Promise<void>;
  /** A server recovered from a base backup and the archive up to this target. */
  recover(backup: string, target: Readonly<Record<string, string>>): Promise<PostgresServer>;
  /** Stopped at the end. */
  adopt(other: PostgresServer): PostgresServer;
  dispose(): Promise<void>;
};

export async function createArchivedWorld(): Promise<ArchivedWorld> {
  const folder = await makeServerFolder();
  const archive = await makeServerFolder();
  // What docs/operations.md shows: an archive in which no file is overwritten.
  const command = `test ! -f ${archive}/%f && cp %p ${archive}/%f`;
  const server = await startPostgres({
    settings: { archive_mode: 'on', archive_command: command },
  });
  const world = await createServerWorld(server);
  expectCode(await world.walletd(['migrate']), 0);
  const metrics = `127.0.0.1:${await findFreePort()}`;
  const others: PostgresServer[] = [];
  const adopt = (other: PostgresServer): PostgresServer => {
    others.push(other);
    return other;
  };
  return {
    ...{ server, folder, adopt },
    start: (places, hosts = []) =>
      world.start({ ...urlsOn(places, hosts), WALLETD_METRICS_LISTEN: metrics }),
    stop: async (daemon) => {
      daemon.kill('SIGTERM');
      expect(await daemon.exited).toBe(0);
    },
    walletd: (places, args) => runWalletd(args, { env: { ...world.env, ...urlsOn(places) } }),
    readPage: async (path) => (await fetch(`http://${metrics}/${path}`)).text(),
    archiveAll: async () => {
      const text = 'SELECT pg_walfile_name(pg_switch_wal()) AS name';
      const [row] = await server.query<{ name: string }>(text);
      const file = join(archive, row?.name ?? '');
      await waitUntil('the archive is complete', () => Promise.resolve(existsSync(file)));
    },
    recover: async (backup, target) => {
      const recovered = await server.startRecovered(backup, {
        ...{ restore_command: `cp ${archive}/%f %p`, recovery_target_action: 'promote' },
        ...{ archive_mode: 'off', ...target },
      });
      adopt(recovered);
      await waitUntil('the recovery has ended', async () => {
        const rows = await recovered.query('SELECT 1 WHERE NOT pg_is_in_recovery()');
        return rows.length === 1;
      });
      return recovered;
    },
    dispose: async () => {
      await world.dispose();
      for (const other of [...others, server]) await other.stop();
      for (const each of [folder, archive]) await rm(each, { recursive: true, force: true });
    },
  };
}

function urlsOn(places: Places, hosts: readonly PostgresServer[] = []): Environment {
  const more = hosts.map(({ port }) => `,127.0.0.1:${port}`).join('');
  return Object.fromEntries(
    services.map((name) => {
      const url = places[name].url({ database: name }).replace('//super@', `//${name}_app@`);
      return [`${name.toUpperCase()}_DATABASE_URL`, url.replace(/(:\d+)\//, `$1${more}/`)];
    }),
  );
}

/** Runs statements in a database of a server. */
const askIn =
  (on: PostgresServer, database: string) =>
  <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> =>
    queryUrl<Row>(on.url({ database }), text, values);

export const findFaults = (places: Places): Promise<string[]> =>
  compareDatabases((service) => askIn(places[service], service));

const untilFaultless = (places: Places): Promise<void> =>
  waitUntil('ledger and lines agree', async () => (await findFaults(places)).length === 0);

/** An independent check finds nothing once all lines have arrived, and neither does `verify`. */
export async function expectWhole(world: ArchivedWorld, places: Places): Promise<void> {
  await untilFaultless(places);
  const done = await world.walletd(places, ['verify']);
  expectCode(done, 0);
  expect(done.stderr).toMatch(
    /^walletd: [1-9]\d* transactions of \d+ wallets checked, 0 findings/m,
  );
}

export async function readIds(on: PostgresServer): Promise<Set<string>> {
  const rows = await askIn(on, 'wallet')<{ id: string }>('SELECT id FROM transactions');
  return new Set(rows.map(({ id }) => id));
}

export async function someDeposits(load: Load, more = 60): Promise<void> {
  const count = load.answered.length;
  await waitUntil('deposits', () => Promise.resolve(load.answered.length >= count + more));
}

/** Each deposit of before is there once, and each that is missing is done once by a retry. */
export async function expectRetries(
  daemon: Daemon,
  on: PostgresServer,
  deposits: readonly Deposit[],
): Promise<void> {
  const ids = await readIds(on);
  for (const one of deposits) {
    const answer = await deposit(daemon.address, one);
    expect(answer).toMatchObject({ id: one.id, replayed: ids.has(one.id) });
  }
}

async function readStatus(daemon: Daemon, { token }: Deposit['user']): Promise<StatementStatus> {
  const client = connect(daemon.address);
  const request = GenerateStatementRequest.fromPartial({ pageSize: 100, currency: 'BRL' });
  const answer = await client.call(StatementServiceService.generateStatement, request, token);
  client.close();
  if (!answer.ok) throw new Error(answer.reason);
  return answer.value.status;
}

/** The daemon reports that lines and ledger differ, and no longer after the documented command. */
export async function expectRepair(
  world: ArchivedWorld,
  daemon: Daemon,
  places: Places,
  user: Deposit['user'],
): Promise<void> {
  expect((await findFaults(places)).length).toBeGreaterThan(0);
  expect(await readStatus(daemon, user)).toBe(StatementStatus.INCONSISTENT);
  const reported = 'statement lines and the ledger contradict each other';
  const isReported = async (): Promise<boolean> =>
    (await world.readPage('readyz')).includes(reported);
  await waitUntil('readyz reports it', isReported);
  const verified = await world.walletd(places, ['verify']);
  expectCode(verified, 1);
  expect(verified.stderr).toMatch(/ checked, [1-9]\d* findings/);
  expectCode(await world.walletd(places, ['statements', 'rebuild']), 0);
  await expectWhole(world, places);
  await waitUntil('readyz is clear', async () => !(await isReported()));
  expect(await readStatus(daemon, user)).toBe(StatementStatus.COMPLETE);
}
