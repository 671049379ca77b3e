import { rmSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runWalletd } from '../../scripts/product.ts';
import { startRabbitMq, type RabbitMq } from '../support/broker/rabbitmq.ts';
import { readUrls } from '../support/ledger/ledger.ts';
import {
  createSteppedClock,
  startPostgres,
  type SteppedClock,
} from '../support/postgres/stepped-clock.ts';
import { expectCode } from '../support/processes/world.ts';
import { createEnvironment } from './site/environment.ts';
import { startNode, type Node, type OnEnd } from './site/node.ts';
import { createPeople, type Person } from './site/people.ts';

export type { Node } from './site/node.ts';
export type { Person } from './site/people.ts';

export type Site = {
  readonly dataDir: string;
  readonly clock: SteppedClock;
  readonly broker: RabbitMq;
  readonly vhost: string;
  readonly nodes: readonly [Node, Node];
  readonly customers: readonly Person[];
  readonly operator: Person;
  /** As the owner, on a connection of its own. */
  readonly ownerUrl: string;
  dispose(): Promise<void>;
};

/** Postgres with a clock of its own, RabbitMQ, and two daemons on both of them. */
export function createSite(customerCount: number, onEnd: OnEnd): Promise<Site> {
  return withReleases((releases, dispose) => buildSite(customerCount, onEnd, releases, dispose));
}

/** What has to be undone at the end, in the order in which it was done. */
export type Releases = (() => unknown)[];

/** Builds something that is disposed of as a whole, also where its building fails. */
export async function withReleases<T>(
  build: (releases: Releases, dispose: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const releases: Releases = [];
  const dispose = async (): Promise<void> => {
    for (const release of releases.splice(0).reverse()) await release();
  };
  return build(releases, dispose).catch(async (err: unknown) => {
    await dispose();
    throw err;
  });
}

/** A temporary folder that goes with the site, or with this process. */
export async function makeSiteFolder(releases: Releases): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dw-faults-'));
  const removal = { recursive: true, force: true, maxRetries: 5 };
  const removeNow = (): void => rmSync(folder, removal);
  process.once('exit', removeNow);
  releases.push(async () => {
    process.removeListener('exit', removeNow);
    await rm(folder, removal);
  });
  await chmod(folder, 0o711);
  return folder;
}

async function buildSite(
  customerCount: number,
  onEnd: OnEnd,
  releases: Releases,
  dispose: () => Promise<void>,
): Promise<Site> {
  const folder = await makeSiteFolder(releases);
  const dataDir = join(folder, 'data');
  const clock = await createSteppedClock(folder);
  const postgres = await startPostgres(dataDir, clock.env);
  releases.push(() => postgres.stop());
  const broker = await startRabbitMq();
  releases.push(() => broker.dispose());
  const vhost = await broker.createVhost();
  const env = await createEnvironment(dataDir, broker.url(vhost));
  expectCode(await runWalletd(['migrate'], { env: { ...env.daemon, ...env.owners } }), 0);

  const started: Node[] = [];
  releases.push(() => Promise.all(started.map((node) => node.kill())));
  const startNext = async (name: string): Promise<Node> => {
    const node = await startNode(name, env.daemon, onEnd);
    started.push(node);
    return node;
  };
  const nodes = [await startNext('first'), await startNext('second')] as const;
  const people = await createPeople(nodes[0].address, env.daemon, dataDir, customerCount);
  const ownerUrl = (await readUrls(dataDir)).owner('wallet');
  return { dataDir, clock, broker, vhost, nodes, ...people, ownerUrl, dispose };
}
