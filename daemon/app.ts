import { createAuth } from './auth/index.ts';
import type { Config } from './config.ts';
import type { ServiceName } from './settings.ts';
import { connectDatabase, openDatabases, prepareSchemas, type Databases } from './databases.ts';
import type { Outcome } from './fault.ts';
import { watchReadiness } from './health.ts';
import { listen, listenMetrics, reachableAddress } from './listeners.ts';
import { createAuthPeer, createWalletPeer } from './peers.ts';
import { createAccess } from './platform/access.ts';
import { createKeyVerifier } from './platform/api-keys.ts';
import { createLocalBroker } from './platform/broker-local.ts';
import { createAmqpBroker } from './platform/broker-amqp/index.ts';
import type { Broker, Consumer } from './platform/broker.ts';
import type { Db } from './platform/db.ts';
import { createGrpcServer, type HostedService } from './platform/grpc/server.ts';
import { createLifecycle, type Lifecycle } from './platform/lifecycle.ts';
import type { Log } from './platform/log.ts';
import { createMailer, type Mailer } from './platform/mail.ts';
import type { OutboxDepth } from './platform/outbox-depth.ts';
import { createRevocations } from './platform/revocations.ts';
import { createTokenVerifier } from './platform/tokens.ts';
import { keyFault, readServiceCredential, readSigningKey, readSmtpCa } from './secrets.ts';
import { createStatement } from './statement/index.ts';
import { createWallet } from './wallet/index.ts';

export type App = {
  /** HOST:PORT where gRPC is served, with the real port. */
  readonly address: string;
  /** What an operator should know at start: a line each. */
  readonly notices: readonly string[];
  stop(): Promise<{ readonly clean: boolean }>;
};

/** One service while it runs: what every service's index gives. */
type Running = {
  readonly service: HostedService;
  readonly consumers: readonly Consumer[];
  readonly outbox?: () => OutboxDepth;
  start(): void;
  stop(): Promise<void>;
};

const drainMs = 9_000;

/**
 * Composes and starts a daemon. Whatever stands in the way of a start comes back as a fault, with
 * everything that had been begun released again.
 */
export async function startApp(
  config: Config,
  log: Log,
  onLost: (detail: string) => void,
): Promise<Outcome<App>> {
  const lifecycle = createLifecycle(log);
  const started = await compose(config, log, lifecycle, onLost).catch(async (err: unknown) => {
    await lifecycle.release(drainMs);
    throw err;
  });
  if (!started.ok) await lifecycle.release(drainMs);
  return started;
}

async function compose(
  config: Config,
  log: Log,
  lifecycle: Lifecycle,
  onLost: (detail: string) => void,
): Promise<Outcome<App>> {
  const credential = await readServiceCredential(config);
  if (!credential.ok) return credential;
  const opened = await openDatabases(config, log, 'start', onLost);
  if (!opened.ok) return opened;
  const databases = opened.value;
  lifecycle.defer('databases', () => databases.stop());
  const unready = await prepareSchemas(databases, config.services, config.shouldMigrate, log);
  if (unready) return { ok: false, fault: unready };
  const pools = await connectAll(databases, config, log, lifecycle);
  if (!pools.ok) return pools;

  let ownAddress = '';
  const addressOf = (name: ServiceName) => () => config.peerAddresses[name] ?? ownAddress;
  const auth = createAuthPeer(addressOf('auth'), credential.value);
  const wallet = createWalletPeer(addressOf('wallet'), credential.value);
  lifecycle.defer('peers', () => [auth, wallet].forEach((peer) => peer.close()));
  const { revocations, access } = createGate(auth, credential.value, log);

  const broker =
    config.rabbitmqUrl === undefined
      ? createLocalBroker()
      : createAmqpBroker(config.rabbitmqUrl, log);
  lifecycle.defer('broker', () => broker.stop());
  const mailer = await openMailer(config, lifecycle);
  if (!mailer.ok) return mailer;
  const running: Running[] = [];
  const notices: string[] = [];
  const deps = {
    config,
    databases,
    ...pools.value,
    log,
    broker,
    auth,
    wallet,
    revocations,
    access,
    mailer: mailer.value,
  };
  for (const name of config.services) {
    const service = await createService[name](deps, notices);
    if (!service.ok) return service;
    running.push(service.value);
  }
  const server = createGrpcServer({ services: running.map((r) => r.service), access, log });
  // Released before the broker: their relays send until they have stopped.
  for (const { service, stop } of running) lifecycle.defer(service.name, stop);
  running.forEach((r) => r.start());
  lifecycle.defer('revocations', () => revocations.stop());
  const bound = await listen(server, config.listen);
  if (!bound.ok) return bound;
  ownAddress = reachableAddress(config.listen.host, bound.value);
  lifecycle.defer('grpc', () => server.stop(drainMs - 1_000));
  await revocations.start();
  // Last of all: a message may need every service.
  await broker.start(running.flatMap((r) => r.consumers));
  lifecycle.defer('consumers', () => broker.stopConsuming());
  const readiness = watchReadiness({ server, broker });
  const outbox = running.find((r) => r.outbox)?.outbox;
  const metrics = await listenMetrics(config.metricsListen, { broker, outbox, readiness });
  if (!metrics.ok) return metrics;
  lifecycle.defer('metrics', metrics.value.stop);
  lifecycle.defer('readiness', readiness.end);
  return {
    ok: true,
    value: { address: ownAddress, notices, stop: () => lifecycle.release(drainMs) },
  };
}

/** Who is let in: tokens, API keys, and what has been revoked of them. */
function createGate(
  auth: ReturnType<typeof createAuthPeer>,
  serviceCredential: string,
  log: Log,
): Pick<Deps, 'revocations' | 'access'> {
  const revocations = createRevocations({ feed: auth.feed, log });
  const tokens = createTokenVerifier({ fetchJwks: auth.fetchJwks, nowMs: Date.now });
  const keys = createKeyVerifier({ ask: auth.verifyKey, revocations, nowMs: Date.now });
  return { revocations, access: createAccess({ tokens, keys, revocations, serviceCredential }) };
}

async function openMailer(
  config: Config,
  lifecycle: Lifecycle,
): Promise<Outcome<Mailer | undefined>> {
  const { smtp } = config;
  if (!smtp) return { ok: true, value: undefined };
  const ca = await readSmtpCa(config);
  if (!ca.ok) return ca;
  const authorities = ca.value === undefined ? {} : { ca: ca.value };
  const mailer = createMailer({ url: smtp.url, from: smtp.from, ...authorities });
  lifecycle.defer('mail', () => mailer.stop());
  return { ok: true, value: mailer };
}

type Deps = {
  readonly config: Config;
  readonly databases: Databases;
  /** What everybody shares. */
  readonly dbs: Readonly<Partial<Record<ServiceName, Db>>>;
  /** For what must go on whatever everybody does: commits, the relay, the feed of revocations. */
  readonly reserved: Readonly<Partial<Record<ServiceName, Db>>>;
  readonly log: Log;
  readonly broker: Broker;
  readonly auth: ReturnType<typeof createAuthPeer>;
  readonly wallet: ReturnType<typeof createWalletPeer>;
  readonly revocations: ReturnType<typeof createRevocations>;
  readonly access: ReturnType<typeof createAccess>;
  /** Undefined: no mail is sent. */
  readonly mailer: Mailer | undefined;
};

const createService: Readonly<
  Record<ServiceName, (deps: Deps, notices: string[]) => Promise<Outcome<Running>>>
> = {
  auth: async ({ config, databases, dbs, reserved, revocations, access, mailer, log }, notices) => {
    const key = await readSigningKey(config, databases.dataDir);
    if (!key.ok) return key;
    const db = dbOf(dbs, 'auth');
    const options = { isSignUpOpen: config.isSignUpOpen, signingKeyPem: key.value };
    const { validateToken } = access;
    const auth = await createAuth({
      db,
      feedDb: dbOf(reserved, 'auth'),
      revocations,
      validateToken,
      ...(mailer ? { mailer } : {}),
      log,
      config: options,
    });
    if (!auth.ok) return keyFault(auth.problem);
    if (!(await auth.value.hasAdmin())) {
      notices.push(
        'no admin yet; make one: walletd users create --email YOU@EXAMPLE.COM --role admin',
      );
    }
    if (config.isSignUpOpen) {
      notices.push('anybody who reaches this port may sign up and use a wallet (SIGN_UP=open)');
    }
    return { ok: true, value: auth.value };
  },
  wallet: async ({ config, dbs, reserved, broker, auth, log }, notices) => {
    const { defaultCurrency, selfServiceOperations, amqpOperations, outboxLimit } = config;
    const wallet = createWallet({
      db: dbOf(dbs, 'wallet'),
      commitDb: dbOf(reserved, 'wallet'),
      broker,
      peers: { findUsers: auth.findUsers },
      config: {
        defaultCurrency,
        selfServiceOperations,
        amqpOperations,
        outboxLimit,
        queue: config.walletQueue,
        laneCount: 2,
      },
      log,
    });
    const rights = await wallet.checkRights();
    if (rights.length > 0) {
      return {
        ok: false,
        fault: {
          fault: `the role of WALLET_DATABASE_URL could change the ledger: it has ${rights.join(', ')} rights on transactions`,
          hint: 'give the daemon a role of its own that does not own the tables, and keep the owner for WALLET_MIGRATION_DATABASE_URL',
        },
      };
    }
    if (config.rabbitmqUrl === undefined) {
      notices.push('no RABBITMQ_URL: nobody outside can send transactions or hear events');
    }
    return { ok: true, value: wallet };
  },
  statement: ({ config, dbs, reserved, broker, auth, wallet, mailer, log }) => {
    const statement = createStatement({
      db: dbOf(dbs, 'statement'),
      workDb: dbOf(reserved, 'statement'),
      broker,
      peers: {
        readHead: wallet.readHead,
        readLedger: wallet.readLedger,
        findUser: auth.findUser,
      },
      mailer,
      config: {
        defaultCurrency: config.defaultCurrency,
        inlineDays: config.inlineDays,
        queue: config.statementQueue,
        exportQueue: config.exportQueue,
        exportRetentionDays: config.exportRetentionDays,
      },
      log,
    });
    return Promise.resolve({ ok: true, value: statement });
  },
};

async function connectAll(
  databases: Databases,
  config: Config,
  log: Log,
  lifecycle: Lifecycle,
): Promise<Outcome<Pick<Deps, 'dbs' | 'reserved'>>> {
  const pools: Record<'dbs' | 'reserved', Partial<Record<ServiceName, Db>>> = {
    dbs: {},
    reserved: {},
  };
  for (const [pool, maxConnections] of [
    ['dbs', 10],
    ['reserved', 5],
  ] as const) {
    for (const name of config.services) {
      const urls = databases.urls[name];
      if (!urls) throw new Error(`no database for ${name}`);
      const connected = await connectDatabase(name, urls.url, config, log, maxConnections);
      if (!connected.ok) return connected;
      pools[pool][name] = connected.value;
      lifecycle.defer(`database ${name}`, () => connected.value.close());
    }
  }
  return { ok: true, value: pools };
}

function dbOf(dbs: Deps['dbs'], name: ServiceName): Db {
  const db = dbs[name];
  if (!db) throw new Error(`${name} has no database`);
  return db;
}
