import { createServer } from 'node:http';

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** A value that is read when it is asked for. */
export type Reading = {
  readonly name: string;
  readonly help: string;
  /** It only grows. */
  readonly isCounter?: boolean;
  read(): number;
};

/** How long something took, counted in buckets. */
export type Timing = {
  observe(seconds: number): void;
  readonly histogram: Histogram;
};

const bucketsSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** A histogram from 5 ms to 5 minutes; served by whoever lists it. */
export function createTiming(name: string, help: string): Timing {
  const histogram = new Histogram({ name, help, buckets: bucketsSeconds, registers: [] });
  return { histogram, observe: (seconds) => histogram.observe(Math.max(0, seconds)) };
}

export type MetricsServer = { readonly port: number; stop(): Promise<void> };

/**
 * Serves `/metrics` for Prometheus, `/healthz` (the process answers) and `/readyz` (200 or 503, with
 * what is in the way). On a listener of its own, away from users.
 */
export async function serveMetrics(options: {
  readonly host: string;
  readonly port: number;
  readonly readings: readonly Reading[];
  readonly timings: readonly Timing[];
  readonly isReady: () => boolean;
  /** What does not keep the daemon from serving, and an operator should know. */
  readonly findTrouble: () => string | undefined;
}): Promise<MetricsServer> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const { histogram } of options.timings) registry.registerMetric(histogram);
  for (const { name, help, isCounter, read } of options.readings) {
    if (isCounter) {
      new Counter({
        name,
        help,
        registers: [registry],
        collect() {
          this.reset();
          this.inc(read());
        },
      });
      continue;
    }
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  }
  const server = createServer((request, response) => {
    const answer = (code: number, type: string, body: string): void => {
      response.writeHead(code, { 'content-type': type });
      response.end(body);
    };
    if (request.url === '/metrics') {
      void registry.metrics().then((text) => answer(200, registry.contentType, text));
    } else if (request.url === '/healthz') {
      answer(200, 'text/plain', 'ok\n');
    } else if (request.url === '/readyz') {
      const trouble = options.findTrouble();
      const text = `${options.isReady() ? 'ready' : 'not ready'}${trouble ? `; ${trouble}` : ''}\n`;
      answer(options.isReady() ? 200 : 503, 'text/plain', text);
    } else {
      answer(404, 'text/plain', 'not found\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
