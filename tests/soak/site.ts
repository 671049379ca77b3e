import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

import { createProducer, signUp, type Producer } from '../support/producer.ts';
import { findFreePort } from '../support/free-port.ts';
import { startRabbitMq, type RabbitMq } from '../support/rabbitmq.ts';
import { createWorld } from '../support/world.ts';

type Customer = { readonly id: string; readonly token: string };

export type SoakSite = {
  readonly address: string;
  readonly pid: number;
  readonly dataDir: string;
  readonly probe: string;
  readonly metricsUrl: string;
  readonly broker: RabbitMq;
  readonly vhost: string;
  readonly producer: Producer;
  readonly customers: readonly Customer[];
  /** What the daemon has logged. */
  log(): string;
  dispose(): Promise<void>;
};

/** One daemon with a Postgres and a RabbitMQ of its own, and customers. */
export async function createSoakSite(): Promise<SoakSite> {
  const broker = await startRabbitMq();
  const world = await createWorld();
  const releases: (() => Promise<unknown>)[] = [() => broker.dispose(), () => world.dispose()];
  const dispose = async (): Promise<void> => {
    for (const release of releases.splice(0).reverse()) await release();
  };
  try {
    const vhost = await broker.createVhost();
    const probe = join(world.folder, 'probe');
    const metrics = `127.0.0.1:${await findFreePort()}`;
    const daemon = await world.start({
      NODE_OPTIONS: `--import=${join(import.meta.dirname, 'probe.mjs')}`,
      SOAK_PROBE: probe,
      RABBITMQ_URL: broker.url(vhost),
      WALLETD_METRICS_LISTEN: metrics,
      LOG_LEVEL: 'warn',
      WALLETD_USER: 'root',
    });
    const customers: Customer[] = [];
    for (let i = 0; i < 5; i += 1) customers.push(await signUp(daemon.address, `customer${i}`));
    const producer = await createProducer(broker.url(vhost));
    releases.push(() => producer.close());
    return {
      address: daemon.address,
      pid: daemon.pid,
      dataDir: world.dataDir,
      probe,
      metricsUrl: `http://${metrics}/metrics`,
      broker,
      vhost,
      producer,
      customers,
      log: () => daemon.log(),
      dispose,
    };
  } catch (err) {
    await dispose();
    throw err;
  }
}

/** How many files a process has open, by kind. */
export async function countFiles(pid: number): Promise<Readonly<Record<string, number>>> {
  const folder = `/proc/${pid}/fd`;
  const counts: Record<string, number> = { all: 0, sockets: 0 };
  for (const name of await readdir(folder)) {
    // One may be closed meanwhile.
    const target = await readlink(join(folder, name)).catch(() => undefined);
    if (target === undefined) continue;
    counts['all'] = (counts['all'] ?? 0) + 1;
    if (target.startsWith('socket:')) counts['sockets'] = (counts['sockets'] ?? 0) + 1;
  }
  return counts;
}
