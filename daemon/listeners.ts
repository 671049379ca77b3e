import type { Outcome } from './fault.ts';
import type { Readiness } from './health.ts';
import type { Broker } from './platform/broker.ts';
import type { GrpcServer } from './platform/grpc/server.ts';
import { serveMetrics, type MetricsServer } from './platform/metrics.ts';
import type { OutboxDepth } from './platform/outbox-depth.ts';
import type { HostPort } from './settings.ts';

/** Starts the listener for metrics, unless there shall be none. */
export async function listenMetrics(
  address: HostPort | undefined,
  parts: {
    readonly broker: Broker;
    readonly outbox: (() => OutboxDepth) | undefined;
    readonly readiness: Readiness;
  },
): Promise<Outcome<Pick<MetricsServer, 'stop'>>> {
  if (!address) return { ok: true, value: { stop: () => Promise.resolve() } };
  const { broker, outbox, readiness } = parts;
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
  ];
  try {
    const options = { ...address, readings, isReady: readiness.isReady };
    const server = await serveMetrics({ ...options, findTrouble: broker.findTrouble });
    return { ok: true, value: server };
  } catch (err) {
    return cannotListen(address, 'WALLETD_METRICS_LISTEN', err);
  }
}

function cannotListen({ host, port }: HostPort, variable: string, err: unknown): Outcome<never> {
  const why = err instanceof Error ? err.message : String(err);
  return {
    ok: false,
    fault: {
      fault: `cannot listen on ${formatAddress(host, port)}: ${why}`,
      hint: `stop what uses this port, or choose another with ${variable}`,
    },
  };
}

/** Serves gRPC, and gives the port that it got. */
export async function listen(server: GrpcServer, address: HostPort): Promise<Outcome<number>> {
  try {
    const bound = await server.listen(formatAddress(address.host, address.port));
    return { ok: true, value: bound.port };
  } catch (err) {
    return cannotListen(address, 'WALLETD_LISTEN', err);
  }
}

/** Where this process reaches itself: an address for all interfaces is reached by loopback. */
export function reachableAddress(host: string, port: number): string {
  if (host === '0.0.0.0') return formatAddress('127.0.0.1', port);
  return formatAddress(host === '::' ? '::1' : host, port);
}

const formatAddress = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
