import { generateKeyPairSync } from 'node:crypto';
import { rmSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Role } from '../../core/roles.ts';
import { runWalletd, startWalletd, type Daemon, type Environment } from '../../scripts/product.ts';
import { createMint } from '../access-matrix/forgeries.ts';
import { connect, type Connection } from '../support/grpc/client.ts';
import { queryService, readUrls } from '../support/ledger/ledger.ts';
import { signUp } from '../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../support/broker/rabbitmq.ts';
import {
  createSteppedClock,
  startPostgres,
  type SteppedClock,
} from '../support/postgres/stepped-clock.ts';
import { expectCode, password } from '../support/processes/world.ts';

/** One of the two daemons, through all its restarts. */
export type Node = {
  readonly name: string;
  readonly address: string;
  /** Of the process that runs now. */
  connection(): Connection;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  kill(): Promise<void>;
  /** In good order. */
  stop(): Promise<void>;
  /** With the settings of the site, and these; `program` is another build than the usual one. */
  start(extra?: Environment, program?: string): Promise<void>;
  /** What all its processes have logged. */
  log(): string;
};

export type Person = { readonly id: string; readonly token: string };

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
export async function createSite(
  customerCount: number,
  onEnd: (node: string, code: number | null, log: string) => void,
): Promise<Site> {
  const releases: (() => unknown)[] = [];
  const dispose = async (): Promise<void> => {
    for (const release of releases.splice(0).reverse()) await release();
  };
  return buildSite(customerCount, onEnd, releases, dispose).catch(async (err: unknown) => {
    await dispose();
    throw err;
  });
}

async function buildSite(
  customerCount: number,
  onEnd: (node: string, code: number | null, log: string) => void,
  releases: (() => unknown)[],
  dispose: () => Promise<void>,
): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'dw-faults-'));
  const removal = { recursive: true, force: true, maxRetries: 5 };
  const removeNow = (): void => rmSync(folder, removal);
  process.once('exit', removeNow);
  releases.push(async () => {
    process.removeListener('exit', removeNow);
    await rm(folder, removal);
  });
  await chmod(folder, 0o711);
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
  const people = await createPeople(nodes[0], env.daemon, dataDir, customerCount);
  const ownerUrl = (await readUrls(dataDir)).owner('wallet');
  return { dataDir, clock, broker, vhost, nodes, ...people, ownerUrl, dispose };
}

async function createEnvironment(
  dataDir: string,
  rabbitmqUrl: string,
): Promise<{ daemon: Environment; owners: Environment }> {
  const keyFile = join(dataDir, 'signing-key.pem');
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const { runtime, owner } = await readUrls(dataDir);
  return {
    daemon: {
      PATH: process.env['PATH'] ?? '',
      RABBITMQ_URL: rabbitmqUrl,
      WALLETD_METRICS_LISTEN: 'off',
      WALLETD_HTTP_LISTEN: 'off',
      SIGN_UP: 'open',
      SELF_SERVICE_OPERATIONS: 'deposit,withdraw,purchase,reversal,cancellation',
      AUTH_SIGNING_KEY_FILE: keyFile,
      AUTH_DATABASE_URL: runtime('auth'),
      WALLET_DATABASE_URL: runtime('wallet'),
      STATEMENT_DATABASE_URL: runtime('statement'),
      LOG_LEVEL: 'warn',
    },
    owners: {
      AUTH_MIGRATION_DATABASE_URL: owner('auth'),
      WALLET_MIGRATION_DATABASE_URL: owner('wallet'),
      STATEMENT_MIGRATION_DATABASE_URL: owner('statement'),
    },
  };
}

async function startNode(
  name: string,
  env: Environment,
  onEnd: (node: string, code: number | null, log: string) => void,
): Promise<Node> {
  const processes: Daemon[] = [];
  let listen = '127.0.0.1:0';
  let connection: Connection | undefined;
  let isWanted = false;
  const current = (): Daemon => {
    const daemon = processes.at(-1);
    if (!daemon) throw new Error(`the ${name} daemon was not started`);
    return daemon;
  };
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    isWanted = false;
    current().kill(signal);
    await current().exited;
  };
  const kill = (): Promise<void> => end('SIGKILL');
  const start = async (extra: Environment = {}, program?: string): Promise<void> => {
    const settings = { ...env, ...extra, WALLETD_LISTEN: listen };
    const daemon = await startWalletd(settings, [], [], program);
    listen = daemon.address;
    processes.push(daemon);
    connection?.close();
    connection = connect(listen);
    isWanted = true;
    void daemon.exited.then((code) => {
      if (isWanted) onEnd(name, code, daemon.log().slice(-4_000));
    });
  };
  process.once('exit', () => processes.at(-1)?.kill('SIGKILL'));
  await start();
  return {
    name,
    address: listen,
    connection: () => connection ?? connect(listen),
    signal: (signal) => current().kill(signal),
    kill,
    stop: () => end('SIGTERM'),
    start,
    log: () => processes.map((daemon) => daemon.log()).join('\n'),
  };
}

/** Customers who signed up and an operator, with tokens that outlive the run. */
async function createPeople(
  node: Node,
  env: Environment,
  dataDir: string,
  customerCount: number,
): Promise<{ customers: Person[]; operator: Person }> {
  const mint = await createMint(dataDir);
  const tokenOf = async (id: string, role: Role): Promise<Person> => ({
    id,
    token: await mint.signIn(id, role),
  });
  const customers: Person[] = [];
  for (let i = 0; i < customerCount; i += 1) {
    const { id } = await signUp(node.address, `customer${i}`);
    customers.push(await tokenOf(id, 'customer'));
  }
  const args = ['users', 'create', '--email', 'operator@example.com', '--role', 'operator'];
  expectCode(await runWalletd(args, { env, input: password }), 0);
  const [row] = await queryService<{ id: string }>(
    dataDir,
    'auth',
    "SELECT id FROM users WHERE role = 'operator'",
  );
  const operator = await tokenOf(row?.id ?? '', 'operator');
  await mint.close();
  return { customers, operator };
}
