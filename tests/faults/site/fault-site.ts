import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { runWalletd, type Environment } from '../../../scripts/product.ts';
import { startRabbitMq } from '../../support/broker/rabbitmq.ts';
import { findFreePort } from '../../support/free-port.ts';
import { readUrls } from '../../support/ledger/ledger.ts';
import { startPostgresProxy, type PostgresProxy } from '../../support/postgres/proxy.ts';
import {
  createSteppedClock,
  startPostgres,
  type ClockedPostgres,
  type SteppedClock,
} from '../../support/postgres/stepped-clock.ts';
import { expectCode } from '../../support/processes/world.ts';
import { makeSiteFolder, withReleases, type Releases, type Site } from '../site.ts';
import { mountSmallDisk, type SmallDisk } from './disk.ts';
import { createEnvironment } from './environment.ts';
import { startNode, type Node, type OnEnd } from './node.ts';
import { createPeople } from './people.ts';

/** A daemon with all that lies between it and the rest of the world. */
export type FaultNode = Node & {
  /** Between it and Postgres. */
  readonly proxy: PostgresProxy;
  /** Its wall clock. */
  readonly ownClock: SteppedClock;
  /** Its HTTP gateway. */
  readonly url: string;
};

/** What all faults can be done to. */
export type FaultSite = Omit<Site, 'nodes'> & {
  readonly folder: string;
  readonly nodes: readonly [FaultNode, ...FaultNode[]];
  readonly postgres: ClockedPostgres;
  /** That of Postgres; undefined where none can be mounted. */
  readonly disk: SmallDisk | undefined;
  /** As a superuser. */
  readonly adminUrl: string;
};

type Options = {
  readonly customers: number;
  readonly daemons: number;
  readonly onEnd: OnEnd;
};

const names = ['first', 'second', 'third', 'fourth'] as const;
export const maxDaemons = names.length;
/** Rows of 100,000 transactions take 200 MB, the log of Postgres 1 GB. */
const diskSize = '2g';

/** Postgres on a small disk, RabbitMQ, and daemons on both of them, each by way of a proxy. */
export const createFaultSite = (options: Options): Promise<FaultSite> =>
  withReleases((releases, dispose) => build(options, releases, dispose));

async function build(
  { customers: customerCount, daemons, onEnd }: Options,
  releases: Releases,
  dispose: () => Promise<void>,
): Promise<FaultSite> {
  const folder = await makeSiteFolder(releases);
  const disk = mountSmallDisk(join(folder, 'disk'), diskSize, releases);
  const dataDir = join(disk?.folder ?? folder, 'data');
  const clock = await createSteppedClock(folder);
  const postgres = await startPostgres(dataDir, clock.env, {
    max_connections: '300',
    max_wal_size: '512MB',
  });
  releases.push(() => postgres.stop());
  const broker = await startRabbitMq();
  releases.push(() => broker.dispose());
  const vhost = await broker.createVhost();
  const env = await createEnvironment(dataDir, broker.url(vhost));
  expectCode(await runWalletd(['migrate'], { env: { ...env.daemon, ...env.owners } }), 0);
  const urls = await readUrls(dataDir);
  const started: FaultNode[] = [];
  releases.push(() => Promise.all(started.map((node) => node.kill())));
  for (const name of names.slice(0, daemons)) {
    const own = await startApart(name, folder, urls.socketDir, env.daemon, releases);
    const node = await startNode(name, own.env, onEnd);
    started.push({ ...node, ...own.parts });
  }
  const [first, ...others] = started;
  if (!first) throw new Error('at least one daemon is needed');
  const people = await createPeople(first.address, env.daemon, dataDir, customerCount);
  const ownerUrl = urls.owner('wallet');
  const adminUrl = urls.admin('wallet');
  const parts = { folder, dataDir, clock, postgres, disk, broker, vhost, ownerUrl, adminUrl };
  return { ...parts, nodes: [first, ...others], ...people, dispose };
}

type Parts = Pick<FaultNode, 'proxy' | 'ownClock' | 'url'>;

/** The environment of one daemon: its proxy, its clock, and its gateway. */
async function startApart(
  name: string,
  folder: string,
  socketDir: string,
  shared: Environment,
  releases: Releases,
): Promise<{ readonly env: Environment; readonly parts: Parts }> {
  const proxy = await startPostgresProxy(socketDir);
  releases.push(() => proxy.stop());
  const clockFolder = join(folder, name);
  await mkdir(clockFolder);
  const ownClock = await createSteppedClock(clockFolder);
  const address = `127.0.0.1:${await findFreePort()}`;
  const databases = Object.entries(shared)
    .filter(([setting]) => setting.endsWith('_DATABASE_URL'))
    .map(([setting, url]) => [setting, proxy.through(url)] as const);
  const own = { ...Object.fromEntries(databases), WALLETD_HTTP_LISTEN: address };
  return {
    env: { ...shared, ...ownClock.env, ...own },
    parts: { proxy, ownClock, url: `http://${address}` },
  };
}
