import type { Config } from './config/config.ts';
import { formatHostPort, serviceNames, type ServiceName } from './config/settings.ts';
import type { TlsFiles } from './config/tls-files.ts';
import type { Outcome } from './fault.ts';
import { createGateway } from './gateway/index.ts';
import { cannotListen } from './listeners.ts';
import { callRemote, type Peers } from './peer-clients.ts';
import type { Caller } from './platform/grpc/caller/caller.ts';
import type { GrpcServer } from './platform/grpc/server.ts';
import { isServing } from './platform/grpc/caller/health.ts';
import { createAddressSet } from './platform/grpc/ingress/source.ts';
import type { Lifecycle } from './platform/lifecycle.ts';
import type { Log } from './platform/log.ts';

const drainMs = 8_000;

/**
 * Starts the HTTP gateway where this process hosts it: `HOST:PORT`, or undefined. It calls services
 * of this process as functions, and the others over gRPC, both with the credentials of its users.
 */
export async function openHttpGateway(
  config: Config,
  parts: {
    readonly server: Pick<GrpcServer, 'createCaller'>;
    readonly auth: Pick<Peers['auth'], 'exchangeSession'>;
    readonly tls: TlsFiles;
    readonly lifecycle: Lifecycle;
    readonly log: Log;
    readonly isReady: () => boolean;
    /** Begins the drain of gRPC: that of HTTP does not come before it. */
    readonly beginDrain: () => void;
  },
): Promise<Outcome<string | undefined>> {
  const { http } = config;
  if (!http) return { ok: true, value: undefined };
  const { server, auth, tls, lifecycle, log, isReady, beginDrain } = parts;
  const local = server.createCaller();
  const callerOf = (name: ServiceName): Caller => {
    if (config.services.includes(name)) return local;
    const remote = callRemote(config, name, undefined, tls.peer);
    lifecycle.defer(`HTTP calls to ${name}`, () => remote.close());
    return remote;
  };
  const others = serviceNames.filter((name) => !config.services.includes(name));
  const callers = Object.fromEntries(serviceNames.map((name) => [name, callerOf(name)]));
  const gateway = createGateway({
    callers: callers as Record<ServiceName, Caller>,
    exchangeSession: auth.exchangeSession,
    ...{ log, isReady },
    findTroubles: () => findMissing(others, callers as Record<ServiceName, Caller>),
    proxies: createAddressSet(config.trustedProxies),
    tls: tls.server,
    config: {
      defaultCurrency: config.defaultCurrency,
      allowedHosts: http.allowedHosts,
      corsOrigins: http.corsOrigins,
    },
  });
  try {
    const { port } = await gateway.listen(http.listen.host, http.listen.port);
    lifecycle.defer('http', () => {
      beginDrain();
      return gateway.stop(drainMs);
    });
    return { ok: true, value: formatHostPort({ ...http.listen, port }) };
  } catch (err) {
    await gateway.stop(0);
    return cannotListen(http.listen, 'WALLETD_HTTP_LISTEN', err);
  }
}

const healthTimeoutMs = 1_500;

/** The services of other processes that do not serve. */
async function findMissing(
  names: readonly ServiceName[],
  callers: Readonly<Record<ServiceName, Caller>>,
): Promise<readonly string[]> {
  const texts = await Promise.all(
    names.map(async (name) => {
      const service = `${name.charAt(0).toUpperCase()}${name.slice(1)}Service`;
      const full = `digitalwallet.${name}.v1.${service}`;
      if (await isServing(callers[name], full, healthTimeoutMs)) return [];
      return [`the ${name} service does not serve (${name.toUpperCase()}_SERVICE_URL)`];
    }),
  );
  return texts.flat();
}
