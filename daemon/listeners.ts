import type { Outcome } from './fault.ts';
import type { Readiness } from './health.ts';
import type { Broker } from './platform/broker/broker.ts';
import type { ServerTls } from './platform/grpc/ingress/listener.ts';
import type { GrpcServer, ServerCounts } from './platform/grpc/server.ts';
import { serveMetrics, type MetricsServer, type Reading } from './platform/metrics.ts';
import type { OutboxDepth } from './platform/outbox/depth.ts';
import type { ProgressWatch } from './platform/progress/watch.ts';
import type { Running } from './services.ts';
import type { HostPort } from './config/setting-types.ts';
import { formatHostPort } from './config/settings.ts';

/** Starts the listener for metrics, unless there shall be none. */
export async function listenMetrics(
  address: HostPort | undefined,
  parts: {
    readonly broker: Broker;
    readonly readiness: Readiness;
    readonly running: readonly Running[];
    readonly server: Pick<GrpcServer, 'readCounts'>;
    readonly watch: ProgressWatch;
  },
): Promise<Outcome<Pick<MetricsServer, 'stop'>>> {
  if (!address) return { ok: true, value: { stop: () => Promise.resolve() } };
  const { broker, readiness, running, server, watch } = parts;
  const outbox = running.find((service) => service.outbox)?.outbox;
  const timings = running.flatMap((service) => service.timings ?? []);
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
      help: '1 if messages flow, 0 if the broker is unavailable or blocked',
      read: () => (broker.findTrouble() === undefined ? 1 : 0),
    },
    ...listLoad(server),
    ...running.flatMap((service) => service.readings ?? []),
  ];
  const findTrouble = (): string | undefined => {
    const troubles = [readiness, broker, ...running].map((part) => part.findTrouble?.());
    return troubles.filter((text) => text !== undefined).join('; ') || undefined;
  };
  try {
    const { isReady } = readiness;
    const options = { ...address, readings, timings, isReady, readParts: watch.read };
    const server = await serveMetrics({ ...options, findTrouble });
    return { ok: true, value: server };
  } catch (err) {
    return cannotListen(address, 'WALLETD_METRICS_LISTEN', err);
  }
}

/** What is open and counted now, for gauges of their own. */
const loads = {
  calls: ['walletd_calls_in_flight', 'Calls in flight'],
  publicCalls: ['walletd_public_calls_in_flight', 'Of these, calls that need no credential'],
  callers: ['walletd_callers', 'Users who have unary calls in flight'],
  streams: ['walletd_streams_open', 'Streams of users'],
  unauthenticated: [
    'walletd_unauthenticated_waiting',
    'Calls with a refused credential whose answer is delayed',
  ],
  connections: ['walletd_connections_open', 'Connections that speak HTTP/2'],
  openCalls: ['walletd_http2_streams_open', 'Streams of HTTP/2 on them'],
  unreadBytes: ['walletd_unread_answer_bytes', 'Large answers that were not taken yet'],
  healthWatches: ['walletd_health_watches', 'Watches of the health'],
} as const satisfies Record<keyof ServerCounts, readonly [name: string, help: string]>;

const listLoad = (server: Pick<GrpcServer, 'readCounts'>): Reading[] =>
  (Object.keys(loads) as (keyof typeof loads)[]).map((key) => ({
    name: loads[key][0],
    help: loads[key][1],
    read: () => server.readCounts()[key],
  }));

/** The fault of a port that is taken, or an address that is not of this machine. */
export function cannotListen(address: HostPort, variable: string, err: unknown): Outcome<never> {
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
