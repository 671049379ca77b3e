import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Daemon } from '../../../scripts/product.ts';
import { startPostgres } from '../../support/postgres/server.ts';
import { createServerWorld } from '../../support/processes/server-world.ts';
import { expectCode } from '../../support/processes/world.ts';
import {
  allOn,
  createArchivedWorld,
  expectRepair,
  expectRetries,
  expectWhole,
  findFaults,
  readIds,
  services,
  someDeposits,
  type ArchivedWorld,
} from './archived-world.ts';
import { startLoad, type Deposit, type Load } from './load.ts';

let world: ArchivedWorld;
let daemon: Daemon;

beforeAll(async () => {
  world = await createArchivedWorld();
  daemon = await world.start(allOn(world.server));
});
afterAll(() => world.dispose());

const firstUser = (deposits: readonly Deposit[]): Deposit['user'] => {
  const [first] = deposits;
  if (!first) throw new Error('there is no deposit');
  return first.user;
};

const readClock = async (): Promise<string> => {
  const text = 'SELECT clock_timestamp()::text AS now';
  const [row] = await world.server.query<{ now: string }>(text);
  return row?.now ?? '';
};

describe('base backup and archived WAL', () => {
  let backup: string;
  let load: Load;
  let kept: readonly Deposit[];
  let early: string;
  let middle: string;

  beforeAll(async () => {
    load = await startLoad(daemon.address, 4, 'archived');
    await someDeposits(load);
    backup = join(world.folder, 'base');
    const flags = [`--pgdata=${backup}`, '--wal-method=none', '--checkpoint=fast'];
    world.server.runTool('pg_basebackup', flags);
    await someDeposits(load);
    early = await readClock();
    await someDeposits(load);
    kept = [...load.answered];
    middle = await readClock();
    await someDeposits(load);
    await load.stop();
    expect(load.refused).toEqual([]);
    await world.archiveAll();
    await world.stop(daemon);
  });

  it('a recovery to a point in time has what was answered before it, and is consistent', async () => {
    const recovered = await world.recover(backup, { recovery_target_time: middle });
    const ids = await readIds(recovered);
    expect(kept.filter(({ id }) => !ids.has(id))).toEqual([]);
    const lost = load.answered.filter(({ id }) => !ids.has(id));
    expect(lost.length).toBeGreaterThan(0);
    const places = allOn(recovered);
    const running = await world.start(places);
    await expectWhole(world, places);
    expect(await world.readPage('readyz')).not.toContain('contradict');
    await expectRetries(running, recovered, [...kept.slice(-10), ...lost.slice(0, 20)]);
    await expectWhole(world, places);
    await world.stop(running);
  });

  it('a wallet database older than the statement database is reported, and repaired', async () => {
    const places = {
      ...allOn(await world.recover(backup, { recovery_target_time: middle })),
      wallet: await world.recover(backup, { recovery_target_time: early }),
    };
    const running = await world.start(places);
    await expectRepair(world, running, places, firstUser(kept));
    await expectRetries(running, places.wallet, kept.slice(-40));
    await expectWhole(world, places);
    await world.stop(running);
  });

  it('a statement database older than the wallet database gets its lines by a rebuild', async () => {
    const places = {
      ...allOn(await world.recover(backup, { recovery_target_time: middle })),
      statement: await world.recover(backup, { recovery_target_time: early }),
    };
    expect((await findFaults(places)).length).toBeGreaterThan(0);
    expectCode(await world.walletd(places, ['verify']), 1);
    expectCode(await world.walletd(places, ['statements', 'rebuild']), 0);
    await expectWhole(world, places);
    const running = await world.start(places);
    await expectWhole(world, places);
    await expectRetries(running, places.wallet, kept.slice(-10));
    await expectWhole(world, places);
    await world.stop(running);
  });
});

describe('pg_dump', () => {
  /** Dumps each database in turn, with something between, and restores all on a new server. */
  async function dumpAndRestore(name: string, between: () => Promise<void>) {
    const fileOf = (service: string) => `${world.folder}/${name}-${service}.dump`;
    for (const service of services) {
      const flags = ['--format=custom', `--file=${fileOf(service)}`, service];
      world.server.runTool('pg_dump', flags);
      await between();
    }
    const target = world.adopt(await startPostgres());
    // The roles and empty databases.
    const other = await createServerWorld(target);
    await other.dispose();
    for (const service of services) {
      const flags = [`--dbname=${service}`, '--exit-on-error', fileOf(service)];
      target.runTool('pg_restore', flags);
    }
    return target;
  }

  it('dumps of a quiet system are consistent, and those of a busy one need a rebuild', async () => {
    const running = await world.start(allOn(world.server));
    const load = await startLoad(running.address, 4, 'dumped');
    await someDeposits(load, 100);
    const busy = allOn(await dumpAndRestore('busy', () => someDeposits(load)));
    await load.stop();
    await expectWhole(world, allOn(world.server));
    const quiet = allOn(await dumpAndRestore('quiet', () => Promise.resolve()));
    expect(await findFaults(quiet)).toEqual([]);
    await world.stop(running);

    const restored = await world.start(busy);
    await expectRepair(world, restored, busy, firstUser(load.answered));
    await expectRetries(restored, busy.wallet, load.answered.slice(-40));
    await expectWhole(world, busy);
    await world.stop(restored);
  });
});
