import type { Config } from './config.ts';
import type { ServiceName } from './settings.ts';
import { forgetOwners } from './config.ts';
import {
  connectDatabase,
  listFailoverNotices,
  openDatabases,
  prepareSchemas,
  type Databases,
  type PoolOptions,
} from './databases.ts';
import type { Outcome } from './fault.ts';
import { watchReadiness } from './health.ts';
import { chooseAccount, findSecretReader, type Account } from './host/account.ts';
import { giveUpRoot, listHostNotices } from './host/give-up-root.ts';
import { canRead, startRootReader } from './host/root-reader.ts';
import { listen, listenMetrics } from './listeners.ts';
import { createAccess } from './platform/access.ts';
import { createKeyVerifier } from './platform/api-keys.ts';
import { createClockAlarm } from './platform/clock-alarm.ts';
import { createLocalBroker } from './platform/broker-local.ts';
import { createAmqpBroker } from './platform/broker-amqp/index.ts';
import type { Db } from './platform/db.ts';
import { createGrpcServer } from './platform/grpc/server.ts';
import { createAddressSet } from './platform/grpc/source.ts';
import { createLifecycle, type Lifecycle } from './platform/lifecycle.ts';
import type { Log } from './platform/log.ts';
import { createMailer, type Mailer } from './platform/mail.ts';
import { describeTrouble } from './platform/progress/reasons.ts';
import { createProgressWatch } from './platform/progress/watch.ts';
import { createRevocations } from './platform/revocations.ts';
import { createTokenVerifier } from './platform/tokens.ts';
import { connectPeers, type Peers } from './reach.ts';
import { findKeyFileFault, readServiceCredential, readSmtpCa } from './secrets.ts';
import { createService, type Deps, type Running } from './services.ts';
import { openTlsFiles, type TlsFiles } from './tls-files.ts';

export type App = {
  /** HOST:PORT where gRPC is served, with the real port. */
  readonly address: string;
  /** What an operator should know at start: a line each. */
  readonly notices: readonly string[];
  stop(): Promise<{ readonly clean: boolean }>;
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
  const chosen = await chooseAccount(config);
  if (!chosen.ok) return chosen;
  const account = chosen.value;
  const files = await readFiles(config, account, log, lifecycle);
  if (!files.ok) return files;
  const { credential, tls } = files.value;
  const databases = await openAll(config, log, lifecycle, onLost);
  if (!databases.ok) return databases;
  const peers = await connectPeers(config, account, credential, tls.peer, lifecycle);
  if (!peers.ok) return peers;
  const { auth, wallet, ownAddress } = peers.value;
  const { revocations, access } = createGate(config, auth, credential, log);

  const { watch, broker } = createMessaging(config, log, lifecycle);
  const mailer = await openMailer(config, lifecycle);
  if (!mailer.ok) return mailer;
  const running: Running[] = [];
  const notices = await listFailoverNotices(databases.value.dbs);
  notices.push(...listHostNotices(config, account));
  const deps = {
    config,
    ...databases.value,
    log,
    broker,
    auth,
    wallet,
    revocations,
    access,
    mailer: mailer.value,
    watch,
  };
  for (const name of config.services) {
    const service = await createService[name](deps, notices);
    if (!service.ok) return service;
    running.push(service.value);
  }
  const services = running.map((r) => r.service);
  const proxies = createAddressSet(config.trustedProxies);
  const { isUnaryFastPathOn: isFastPathOn } = config;
  const server = createGrpcServer({ services, access, log, proxies, isFastPathOn });
  // Released before the broker: their relays send until they have stopped.
  for (const { service, stop } of running) lifecycle.defer(service.name, stop);
  running.forEach((r) => r.start());
  watch.start();
  lifecycle.defer('revocations', () => revocations.stop());
  lifecycle.defer('grpc', () => server.stop(drainMs - 1_000));
  const bound = await listen(server, config.listen, tls.server);
  if (!bound.ok) return bound;
  const readiness = watchReadiness({ server, broker });
  const parts = { broker, readiness, running, watch };
  const metrics = await listenMetrics(config.metricsListen, parts);
  if (!metrics.ok) return metrics;
  // Everything that may need root's rights is done.
  const dropped = await giveUpRoot(account, config);
  if (!dropped.ok) return dropped;
  await server.listen(ownAddress);
  await revocations.start();
  // Last of all: a message may need every service.
  await broker.start(running.flatMap((r) => r.consumers));
  lifecycle.defer('consumers', () => broker.stopConsuming());
  lifecycle.defer('metrics', metrics.value.stop);
  lifecycle.defer('readiness', readiness.end);
  return {
    ok: true,
    value: { address: bound.value, notices, stop: () => lifecycle.release(drainMs) },
  };
}

/** The broker, and the watch over all that works by itself. */
function createMessaging(
  { rabbitmqUrl }: Config,
  log: Log,
  lifecycle: Lifecycle,
): Pick<Deps, 'watch' | 'broker'> {
  const watch = createProgressWatch({ log, describe: describeTrouble });
  lifecycle.defer('progress watch', () => watch.stop());
  const broker =
    rabbitmqUrl === undefined ? createLocalBroker(log) : createAmqpBroker(rabbitmqUrl, log, watch);
  lifecycle.defer('broker', () => broker.stop());
  return { watch, broker };
}

/** Faults of files come before anything is started. */
async function readFiles(
  config: Config,
  account: Account | null,
  log: Log,
  lifecycle: Lifecycle,
): Promise<Outcome<{ readonly credential: string; readonly tls: TlsFiles }>> {
  const fault = await findKeyFileFault(config, await findSecretReader(config));
  if (fault) return { ok: false, fault };
  const credential = await readServiceCredential(config);
  if (!credential.ok) return credential;
  const tls = await openTls(config, account, log, lifecycle);
  return tls.ok ? { ok: true, value: { credential: credential.value, tls: tls.value } } : tls;
}

/** The files of TLS; where only root can read them, by a process that stays root for that. */
async function openTls(
  config: Config,
  account: Account | null,
  log: Log,
  lifecycle: Lifecycle,
): Promise<Outcome<TlsFiles>> {
  const { tlsFiles } = config;
  const paths = Object.values(tlsFiles).filter((path) => path !== undefined);
  const reader = await findSecretReader(config);
  const rootReader =
    account && !(await canRead(account, paths)) ? startRootReader(paths) : undefined;
  if (rootReader) lifecycle.defer('reader of files', rootReader.stop);
  const access = rootReader ? { reader, read: rootReader.read } : { reader };
  const opened = await openTlsFiles(tlsFiles, access, log);
  if (opened.ok) lifecycle.defer('TLS files', opened.value.stop);
  return opened;
}

/** Who is let in: tokens, API keys, and what has been revoked of them. */
function createGate(
  { isStaffTotpRequired }: Config,
  auth: Peers['auth'],
  serviceCredential: string,
  log: Log,
): Pick<Deps, 'revocations' | 'access'> {
  const revocations = createRevocations({ feed: auth.feed, log });
  const { nowMs } = revocations;
  const clockAlarm = createClockAlarm(log);
  const tokens = createTokenVerifier({ fetchJwks: auth.fetchJwks, nowMs, clockAlarm });
  const keys = createKeyVerifier({ ask: auth.verifyKey, revocations, nowMs });
  const verifiers = { tokens, keys, revocations, isStaffTotpRequired };
  return { revocations, access: createAccess({ ...verifiers, serviceCredential }) };
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

async function openAll(
  config: Config,
  log: Log,
  lifecycle: Lifecycle,
  onLost: (detail: string) => void,
): Promise<Outcome<Pick<Deps, 'dataDir' | PoolName>>> {
  const opened = await openDatabases(config, log, 'start', onLost);
  if (!opened.ok) return opened;
  const { dataDir, stop } = opened.value;
  lifecycle.defer('databases', stop);
  const unready = await prepareSchemas(opened.value, config.services, config.shouldMigrate, log);
  if (unready) return { ok: false, fault: unready };
  forgetOwners(config);
  const pools = await connectAll(opened.value.urls, config, log, lifecycle);
  return pools.ok ? { ok: true, value: { dataDir, ...pools.value } } : pools;
}

type PoolName = keyof Pick<Deps, 'dbs' | 'reserved' | 'projecting'>;

/**
 * Commits wait briefly for a wallet that another transaction has locked, and go on without it. Their
 * transactions are never idle for long: those of a daemon that was stopped let go of their wallets.
 */
function poolOf(pool: PoolName, name: ServiceName): PoolOptions | undefined {
  if (pool === 'dbs') return { maxConnections: 10 };
  if (pool === 'projecting') {
    return name === 'statement' ? { maxConnections: 2, isByKey: true } : undefined;
  }
  return name === 'wallet'
    ? { maxConnections: 6, isByKey: true, lockTimeoutMs: 250, idleInTransactionMs: 5_000 }
    : { maxConnections: 5, isByKey: true };
}

async function connectAll(
  urls: Databases['urls'],
  config: Config,
  log: Log,
  lifecycle: Lifecycle,
): Promise<Outcome<Pick<Deps, PoolName>>> {
  const pools: Record<PoolName, Partial<Record<ServiceName, Db>>> = {
    dbs: {},
    reserved: {},
    projecting: {},
  };
  for (const pool of ['dbs', 'reserved', 'projecting'] as const) {
    for (const name of config.services) {
      const url = urls[name]?.url;
      if (url === undefined) throw new Error(`no database for ${name}`);
      const options = poolOf(pool, name);
      if (!options) continue;
      const connected = await connectDatabase(name, url, config, log, options);
      if (!connected.ok) return connected;
      pools[pool][name] = connected.value;
      lifecycle.defer(`database ${name}`, () => connected.value.close());
    }
  }
  return { ok: true, value: pools };
}
