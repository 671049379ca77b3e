import { createServer } from 'node:http';

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { PartState } from './progress/watch.ts';

/** A value that is read when it is asked for. */
export type Reading = {
  readonly name: string;
  readonly help: string;
  /** It only grows. */
  readonly isCounter?: boolean;
  /** Readings of one name differ in these. */
  readonly labels?: Readonly<Record<string, string>>;
  read(): number;
};

/** How long something took, counted in buckets. */
export type Timing = {
  observe(seconds: number): void;
  /** What was observed last, and when (milliseconds since the epoch); undefined before that. */
  readLast(): { readonly seconds: number; readonly atMs: number } | undefined;
  readonly histogram: Histogram;
};

const bucketsSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** A histogram from 5 ms to 5 minutes; served where it is listed. */
export function createTiming(name: string, help: string): Timing {
  const histogram = new Histogram({ name, help, buckets: bucketsSeconds, registers: [] });
  let last: ReturnType<Timing['readLast']>;
  return {
    histogram,
    readLast: () => last,
    observe: (given) => {
      const seconds = Math.max(0, given);
      last = { seconds, atMs: Date.now() };
      histogram.observe(seconds);
    },
  };
}

export type MetricsServer = { readonly port: number; stop(): Promise<void> };

/**
 * Serves `/metrics` for Prometheus, `/healthz` (the process answers) and `/readyz` (200 or 503,
 * with what is in the way). On a listener of its own, away from users.
 */
export async function serveMetrics(options: {
  readonly host: string;
  readonly port: number;
  readonly readings: readonly Reading[];
  readonly timings: readonly Timing[];
  /** Which parts of the daemon have work and do none of it. */
  readonly readParts: () => readonly PartState[];
  readonly isReady: () => boolean;
  /** What does not keep the daemon from serving, and an operator should know. */
  readonly findTrouble: () => string | undefined;
}): Promise<MetricsServer> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const { histogram } of options.timings) registry.registerMetric(histogram);
  addReadings(registry, options.readings);
  addParts(registry, options.readParts);
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
      answer(options.isReady() ? 200 : 503, 'text/plain', describeReadiness(options));
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

function addReadings(registry: Registry, readings: readonly Reading[]): void {
  const byName = new Map<string, Reading[]>();
  for (const reading of readings) {
    byName.set(reading.name, [...(byName.get(reading.name) ?? []), reading]);
  }
  for (const [name, ofName] of byName) {
    const { help = '', isCounter, labels = {} } = ofName[0] ?? {};
    const settings = { name, help, labelNames: Object.keys(labels), registers: [registry] };
    if (isCounter) {
      new Counter({
        ...settings,
        collect() {
          this.reset();
          for (const reading of ofName) this.inc({ ...reading.labels }, reading.read());
        },
      });
      continue;
    }
    new Gauge({
      ...settings,
      collect() {
        for (const reading of ofName) this.set({ ...reading.labels }, reading.read());
      },
    });
  }
}

function addParts(registry: Registry, readParts: () => readonly PartState[]): void {
  const add = (name: string, help: string, valueOf: (state: PartState) => number): void => {
    new Gauge({
      ...{ name, help, labelNames: ['part'], registers: [registry] },
      collect() {
        for (const state of readParts()) this.set({ part: state.part }, valueOf(state));
      },
    });
  };
  const stalledHelp = '1 if there is work and none of it was finished for 30 seconds';
  add('walletd_stalled', stalledHelp, (state) => (state.isStalled ? 1 : 0));
  const ageHelp = 'Since work was last finished, while there is some; otherwise 0';
  add('walletd_progress_age_seconds', ageHelp, (state) => state.ageMs / 1_000);
}

/** The state in a line, and a line for each part that is stalled. */
function describeReadiness(options: {
  readonly isReady: () => boolean;
  readonly findTrouble: () => string | undefined;
  readonly readParts: () => readonly PartState[];
}): string {
  const stalled = options.readParts().filter((state) => state.isStalled);
  const state = options.isReady() ? 'ready' : 'not ready';
  const trouble = options.findTrouble();
  const first = `${state}${stalled.length > 0 ? ', degraded' : ''}${trouble ? `; ${trouble}` : ''}`;
  const rest = stalled.map(
    ({ part, ageMs, reason }) => `${part}: stalled for ${Math.floor(ageMs / 1_000)} s: ${reason}`,
  );
  return [first, ...rest, ''].join('\n');
}
