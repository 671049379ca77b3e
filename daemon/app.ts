import type { Config } from './config/config.ts';
import { explainLoss } from './databases/faults.ts';
import { listFailoverNotices } from './databases/databases.ts';
import type { Outcome } from './fault.ts';
import { watchReadiness } from './health.ts';
import { chooseAccount, findSecretReader, type Account } from './host/account.ts';
import { giveUpRoot, listHostNotices } from './host/give-up-root.ts';
import { canRead, startRootReader } from './host/root-reader.ts';
import { openHttpGateway } from './http-gateway.ts';
import { listen, listenMetrics } from './listeners.ts';
import { onAbort, untilAborted } from './platform/concurrency/abort.ts';
import { createAccess } from './platform/access/access.ts';
import { createKeyVerifier } from './platform/access/api-keys.ts';
import { createClockAlarm } from './platform/clock-alarm.ts';
import { createLocalBroker } from './platform/broker/local.ts';
import { bundleLimits, singleLimits } from './platform/broker/amqp/bundles.ts';
import { createAmqpBroker } from './platform/broker/amqp/index.ts';
import { createGrpcServer, type GrpcServer } from './platform/grpc/server.ts';
import { createAddressSet } from './platform/grpc/ingress/source.ts';
import { createLifecycle, type Lifecycle } from './platform/lifecycle.ts';
import type { Log } from './platform/log.ts';
import { createMailer, type Mailer } from './platform/mail/mail.ts';
import { describeTrouble } from './platform/progress/reasons.ts';
import { createProgressWatch } from './platform/progress/watch.ts';
import { createRevocations } from './platform/access/revocations.ts';
import { createTokenVerifier } from './platform/access/tokens.ts';
import { openPools } from './databases/open-pools.ts';
import { connectPeers, type Peers } from './peer-clients.ts';
import { findKeyFileFault, readServiceCredential, readSmtpCa } from './config/secrets.ts';
import { createService, type Deps, type Running } from './services.ts';
import { addStatus } from './status.ts';
import { openTlsFiles, type TlsFiles } from './config/tls-files.ts';

export type App = {
  /** HOST:PORT where gRPC is served, with the real port. */
  readonly address: string;
  /** HOST:PORT where HTTP is served; undefined where it is not. */
  readonly httpAddress: string | undefined;
  /** What an operator should know at start: a line each. */
  readonly notices: readonly string[];
  stop(): Promise<{ readonly clean: boolean }>;
};

const drainMs = 9_000;

/**
 * Composes and starts a daemon. Whatever stands in the way of a start comes back as a fault, with
 * everything that had been begun released again. So it is where `signal` is aborted before the end
 * of the start: then the daemon that comes back was never ready, and has stopped.
 */
export async function startApp(
  config: Config,
  log: Log,
  signal: AbortSignal,
  onLost: (detail: string) => void,
): Promise<Outcome<App>> {
  const lifecycle = createLifecycle(log);
  const start = new AbortController();
  const stopListening = onAbort(signal, () => start.abort(signal.reason));
  try {
    const started = await compose(config, log, lifecycle, start.signal, onLost);
    start.signal.throwIfAborted();
    if (!started.ok) await lifecycle.release(drainMs);
    return started;
  } catch (err) {
    const released = await lifecycle.release(drainMs);
    if (!signal.aborted) throw err;
    log.debug({ err }, 'the start was given up');
    const stop = () => Promise.resolve(released);
    return { ok: true, value: { address: '', httpAddress: undefined, notices: [], stop } };
  } finally {
    stopListening();
  }
}

async function compose(
  config: Config,
  log: Log,
  lifecycle: Lifecycle,
  signal: AbortSignal,
  onLost: (detail: string) => void,
): Promise<Outcome<App>> {
  // What may hang is not waited for once the start is given up.
  const step = <T>(work: Promise<T>): Promise<T> => untilAborted(signal, work);
  const chosen = await chooseAccount(config);
  if (!chosen.ok) return chosen;
  const account = chosen.value;
  const files = await readFiles(config, account, log, lifecycle);
  if (!files.ok) return files;
  const { credential, tls } = files.value;
  const databases = await openPools(config, log, lifecycle, signal, onLost);
  if (!databases.ok) return databases;
  const { auth, wallet, host } = connectPeers(config, credential, tls.peer, lifecycle);
  const { revocations, access } = createAuthenticator(config, auth, credential, log);

  const { watch, broker } = createMessaging(config, log, lifecycle);
  const mailer = await openMailer(config, lifecycle);
  if (!mailer.ok) return mailer;
  const notices = [...(await step(listFailoverNotices(databases.value.dbs)))];
  notices.push(...databases.value.notices, ...listHostNotices(config, account));
  const shared = { config, log, broker, auth, wallet, revocations, access, watch };
  const deps = { ...shared, ...databases.value, mailer: mailer.value };
  const created = await step(createServices(deps, notices, signal));
  if (!created.ok) return created;
  const running = created.value;
  const services = running.map((r) => r.service);
  const proxies = createAddressSet(config.trustedProxies);
  const { isUnaryFastPathOn: isFastPathOn } = config;
  const server = createGrpcServer({ services, access, log, proxies, isFastPathOn });
  host(server);
  // Released before the broker: their relays send until they have stopped.
  for (const { service, stop } of running) lifecycle.defer(service.name, stop);
  running.forEach((r) => r.start());
  watch.start();
  // Calls in flight need both to the end.
  lifecycle.defer('revocations', () => revocations.stop());
  lifecycle.defer('consumers', () => broker.stopConsuming());
  const draining = createDrain(server);
  lifecycle.defer('grpc', draining.stop);
  // The feed is heard before the port opens: without it every call would be refused.
  await step(revocations.start());
  const bound = await step(listen(server, config.listen, tls.server));
  if (!bound.ok) return bound;
  const readiness = watchReadiness({ server, broker, revocations });
  lifecycle.defer('readiness', readiness.end);
  const { isReady } = readiness;
  const gateway = { server, auth, tls, lifecycle, log, isReady, beginDrain: draining.begin };
  const http = await step(openHttpGateway(config, gateway));
  if (!http.ok) return http;
  const parts = { broker, readiness, running, server, watch };
  const metrics = await step(listenMetrics(config.metricsListen, parts));
  if (!metrics.ok) return metrics;
  lifecycle.defer('metrics', metrics.value.stop);
  // Everything that may need root's rights is done.
  const dropped = await giveUpRoot(account, config);
  if (!dropped.ok) return dropped;
  // Last of all: a message may need every service.
  await broker.start(running.flatMap((r) => r.consumers));
  lifecycle.defer('readiness', readiness.end);
  readiness.begin();
  return {
    ok: true,
    value: {
      ...{ address: bound.value, httpAddress: http.value, notices },
      stop: () => lifecycle.release(drainMs),
    },
  };
}

/** The drain of gRPC, which that of HTTP begins: calls over HTTP count as calls in flight. */
function createDrain(server: Pick<GrpcServer, 'stop'>) {
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= server.stop(drainMs - 1_000));
  // What fails is seen where it is released.
  return { stop, begin: (): void => void stop().catch(() => undefined) };
}

async function createServices(
  deps: Deps,
  notices: string[],
  signal: AbortSignal,
): Promise<Outcome<Running[]>> {
  const { config, log } = deps;
  const running: Running[] = [];
  for (const name of config.services) {
    const create = () => createService[name](deps, notices);
    const service = await explainLoss(name, { log, signal }, create);
    if (!service.ok) return service;
    if (!service.value.ok) return service.value;
    running.push(addStatus(name, service.value.value, deps));
  }
  return { ok: true, value: running };
}

/** The broker, and the watch over all that works by itself. */
function createMessaging(
  { rabbitmqUrl, isBundlingOn }: Config,
  log: Log,
  lifecycle: Lifecycle,
): Pick<Deps, 'watch' | 'broker'> {
  const watch = createProgressWatch({ log, describe: describeTrouble });
  lifecycle.defer('progress watch', () => watch.stop());
  const limits = isBundlingOn ? bundleLimits : singleLimits;
  const broker =
    rabbitmqUrl === undefined
      ? createLocalBroker(log)
      : createAmqpBroker(rabbitmqUrl, log, watch, limits);
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

/** Authenticates callers: access tokens, API keys, and the feed of what was revoked. */
function createAuthenticator(
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
