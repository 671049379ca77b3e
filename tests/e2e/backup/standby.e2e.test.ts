import { afterEach, beforeEach, expect, it } from 'vitest';

import type { PostgresServer } from '../../support/postgres/server.ts';
import { waitUntil } from '../../support/ledger/ledger.ts';
import { expectCode } from '../../support/processes/world.ts';
import {
  allOn,
  createArchivedWorld,
  expectRetries,
  expectWhole,
  readIds,
  someDeposits,
  type ArchivedWorld,
} from './archived-world.ts';
import { startLoad } from './load.ts';

let world: ArchivedWorld;
let standby: PostgresServer;

beforeEach(async () => {
  world = await createArchivedWorld();
  standby = world.adopt(await world.server.startStandby({ archive_mode: 'off' }));
  await waitUntil('the standby is attached', () => isAttached('async'));
});
afterEach(() => world.dispose());

async function isAttached(state: 'async' | 'sync'): Promise<boolean> {
  const text = `SELECT 1 FROM pg_stat_replication WHERE sync_state = '${state}'`;
  return (await world.server.query(text)).length > 0;
}

it('a promoted synchronous standby has all that was answered, and the daemon goes on', async () => {
  await world.server.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
  await world.server.query('SELECT pg_reload_conf()');
  await waitUntil('the standby is synchronous', () => isAttached('sync'));
  const daemon = await world.start(allOn(world.server), [standby]);
  const load = await startLoad(daemon.address, 4, 'failed-over');
  await someDeposits(load, 100);
  await world.server.kill();
  await standby.query('SELECT pg_promote()');
  await someDeposits(load, 20);
  await load.stop();
  const ids = await readIds(standby);
  expect(load.answered.filter(({ id }) => !ids.has(id))).toEqual([]);
  await expectWhole(world, allOn(standby));
  expect(await world.readPage('readyz')).not.toMatch(/contradict|lost/);
  await world.stop(daemon);
});

it('commits that a promoted asynchronous standby lacks are reported, and done by a retry', async () => {
  const daemon = await world.start(allOn(world.server), [standby]);
  const load = await startLoad(daemon.address, 4, 'failed-over');
  await someDeposits(load, 100);
  // As a broken network between the two does: nothing reaches the standby from now on.
  await standby.query("ALTER SYSTEM SET primary_conninfo = ''");
  await standby.query('SELECT pg_reload_conf()');
  await waitUntil('the standby is cut off', async () => !(await isAttached('async')));
  await someDeposits(load, 100);
  await load.stop();
  await world.server.kill();
  await standby.query('SELECT pg_promote()');
  const ids = await readIds(standby);
  const lost = load.answered.filter(({ id }) => !ids.has(id));
  expect(lost.length).toBeGreaterThan(0);

  const later = await startLoad(daemon.address, 1, 'later');
  await someDeposits(later, 5);
  await later.stop();
  // Its state of these wallets is newer than the database: the next transaction of each shows it.
  await expectRetries(daemon, standby, [...lost, ...load.answered.slice(0, 20)]);
  const reported = 'the wallet database has lost committed transactions';
  await waitUntil('readyz reports it', async () =>
    (await world.readPage('readyz')).includes(reported),
  );
  expect(await world.readPage('metrics')).toMatch(/^walletd_lost_commits_total [1-9]/m);
  expectCode(await world.walletd(allOn(standby), ['statements', 'rebuild']), 0);
  await expectWhole(world, allOn(standby));
  await world.stop(daemon);
});
