import { createServer } from 'node:http';

import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** A value that is read when it is asked for. */
export type Reading = { readonly name: string; readonly help: string; read(): number };

export type MetricsServer = { readonly port: number; stop(): Promise<void> };

/**
 * Serves `/metrics` for Prometheus, `/healthz` (the process answers) and `/readyz` (200 or 503, with
 * what is in the way). On a listener of its own, away from users.
 */
export async function serveMetrics(options: {
  readonly host: string;
  readonly port: number;
  readonly readings: readonly Reading[];
  readonly isReady: () => boolean;
  /** What does not keep the daemon from serving, and an operator should know. */
  readonly findTrouble: () => string | undefined;
}): Promise<MetricsServer> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const { name, help, read } of options.readings) {
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
