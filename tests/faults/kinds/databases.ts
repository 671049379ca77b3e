import { setTimeout as sleep } from 'node:timers/promises';

import { walletIdOf } from '../../../core/ids.ts';
import { currency } from '../book.ts';
import { pause } from '../load/load.ts';
import { during, last, pickFaultNode, type Cause, type FaultScene } from './cause.ts';
import { holdWallet } from '../../support/postgres/hold-lock.ts';
import { withClient } from '../../support/postgres/client.ts';

const query = (url: string, ...texts: readonly string[]): Promise<void> =>
  withClient(url, async (client) => {
    for (const text of texts) await client.query(text);
  });

const lockTries = 20;

/** Again where the server ends meanwhile. */
async function lockRow(url: string, userId: string): Promise<() => Promise<void>> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await holdWallet(url, userId, currency);
    } catch (err) {
      if (tries === lockTries) throw err;
      await sleep(500);
    }
  }
}

/** Another program holds one wallet's row. */
export const lockWallet: Cause = async (scene) => {
  const { load, random, lockable, fault } = scene;
  const { id } = random.pick(lockable);
  const release = await lockRow(load.site.ownerUrl, id);
  await during(scene, walletIdOf(id, currency), async () => {
    await pause(load, fault.forMs);
    // It is gone already where the server was killed meanwhile.
    await release().catch(() => undefined);
  });
};

/** The clock of the server steps, and later back. */
export const stepClock: Cause = (scene) => {
  const { clock } = scene.load.site;
  const seconds = scene.random.pick([2, -2, 2, -2, 30, -30]);
  return during(scene, `${seconds > 0 ? '+' : ''}${seconds} s`, async () => {
    await clock.set(seconds);
    await last(scene);
    await clock.set(0);
  });
};

export const killPostgres: Cause = (scene) => {
  const { postgres } = scene.load.site;
  return during(scene, 'Postgres', async () => {
    await postgres.kill();
    await sleep(scene.random.int(1_500));
    await postgres.start();
  });
};

export const stopPostgres: Cause = (scene) => {
  const { postgres } = scene.load.site;
  return during(scene, 'Postgres', async () => {
    postgres.freeze();
    await last(scene);
    postgres.thaw();
  });
};

export const restartPostgres: Cause = (scene) => {
  const { postgres } = scene.load.site;
  return during(scene, 'Postgres', async () => {
    await postgres.shutDown();
    await postgres.start();
  });
};

/** All writes are refused with 25006, as by a standby. */
export const makeReadOnly: Cause = (scene) => {
  const { adminUrl } = scene.load.site;
  const set = (value: string): Promise<void> =>
    query(
      adminUrl,
      'SET default_transaction_read_only = off',
      `ALTER SYSTEM SET default_transaction_read_only = ${value}`,
      'SELECT pg_reload_conf()',
    );
  return during(scene, 'Postgres', async () => {
    await set('on');
    await last(scene);
    await set('off');
  });
};

/** Until Postgres has used up the room that it has within its files. */
const minFullMs = 6_000;

/** Without room for anything; if Postgres ends by that, it is started again. */
export const fillDisk: Cause = async (scene) => {
  const { disk, postgres } = scene.load.site;
  if (!disk) return;
  await during(scene, 'Postgres', async () => {
    const endsAtMs = performance.now() + Math.max(minFullMs, scene.fault.forMs);
    while (performance.now() < endsAtMs) {
      await disk.fill();
      await sleep(200);
    }
    disk.empty();
    await postgres.start();
  });
};

/** The first few COMMITs of this time lose their answers. */
const cutCommits =
  (isLost: boolean): Cause =>
  (scene) => {
    const { proxy, name } = pickFaultNode(scene);
    return during(scene, name, async () => {
      proxy.cutCommits(1 + scene.random.int(8), isLost);
      await last(scene);
      proxy.cutCommits(0);
    });
  };
export const cutCommitAnswers = cutCommits(false);
export const loseCommits = cutCommits(true);

const overNetwork =
  (begin: (scene: FaultScene, proxy: FaultScene['load']['site']['nodes'][0]['proxy']) => void) =>
  (scene: FaultScene): Promise<void> => {
    const { proxy, name } = pickFaultNode(scene);
    return during(scene, name, async () => {
      begin(scene, proxy);
      await last(scene);
      proxy.delay(0);
      proxy.release();
      proxy.accept();
    });
  };

export const cutNetwork: Cause = overNetwork((_scene, proxy) => proxy.refuse());
export const delayNetwork: Cause = overNetwork(({ random }, proxy) =>
  proxy.delay(20 + random.int(200)),
);
export const silenceNetwork: Cause = overNetwork((_scene, proxy) => proxy.hold());
