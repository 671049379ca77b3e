import type { Outcome } from './fault.ts';
import type { Readiness } from './health.ts';
import type { Broker } from './platform/broker.ts';
import type { ServerTls } from './platform/grpc/listener.ts';
import type { GrpcServer } from './platform/grpc/server.ts';
import { serveMetrics, type MetricsServer, type Reading, type Timing } from './platform/metrics.ts';
import type { OutboxDepth } from './platform/outbox-depth.ts';
import { formatHostPort, type HostPort } from './settings.ts';

/** Starts the listener for metrics, unless there shall be none. */
export async function listenMetrics(
  address: HostPort | undefined,
  parts: {
    readonly broker: Broker;
    readonly outbox: (() => OutboxDepth) | undefined;
    readonly timings: readonly Timing[];
    readonly readiness: Readiness;
    readonly readings: readonly Reading[];
    readonly findTroubles: readonly (() => string | undefined)[];
  },
): Promise<Outcome<Pick<MetricsServer, 'stop'>>> {
  if (!address) return { ok: true, value: { stop: () => Promise.resolve() } };
  const { broker, outbox, timings, readiness, findTroubles } = parts;
  const depth = (): OutboxDepth => outbox?.() ?? { events: 0, lagMs: 0 };
  const readings = [
    {
      name: 'walletd_outbox_events',
      help: 'Events that wait to be sent',
      read: () => depth().events,
    },
    {
      name: 'walletd_outbox_lag_seconds',
      help: 'How long the oldest of them has waited',
      read: () => depth().lagMs / 1000,
    },
    {
      name: 'walletd_broker_up',
      help: '1 if messages flow, 0 if the broker is away or blocked',
      read: () => (broker.findTrouble() === undefined ? 1 : 0),
    },
    ...parts.readings,
  ];
  const findTrouble = (): string | undefined => {
    const found = [broker.findTrouble, ...findTroubles].flatMap((find) => find() ?? []);
    return found.length === 0 ? undefined : found.join('; ');
  };
  try {
    const options = { ...address, readings, timings, isReady: readiness.isReady };
    const server = await serveMetrics({ ...options, findTrouble });
    return { ok: true, value: server };
  } catch (err) {
    return cannotListen(address, 'WALLETD_METRICS_LISTEN', err);
  }
}

function cannotListen(address: HostPort, variable: string, err: unknown): Outcome<never> {
  const why = err instanceof Error ? err.message : String(err);
  return {
    ok: false,
    fault: {
      fault: `cannot listen on ${formatHostPort(address)}: ${why}`,
      hint: `stop what uses this port, or choose another with ${variable}`,
    },
  };
}

/** Serves gRPC, and gives the address that it got. */
export async function listen(
  server: GrpcServer,
  address: HostPort,
  tls: ServerTls | undefined,
): Promise<Outcome<string>> {
  try {
    const { port } = await server.listen(formatHostPort(address), tls);
    return { ok: true, value: formatHostPort({ host: reachableHost(address.host), port }) };
  } catch (err) {
    return cannotListen(address, 'WALLETD_LISTEN', err);
  }
}

/** An address for all interfaces is reached by loopback. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
