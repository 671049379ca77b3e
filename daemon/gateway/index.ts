import type { AddressInfo } from 'node:net';

import { refuse, type Result } from '../../core/reasons.ts';
import type { Caller } from '../platform/grpc/caller/caller.ts';
import type { ServerTls } from '../platform/grpc/ingress/listener.ts';
import type { AddressSet } from '../platform/grpc/ingress/source.ts';
import type { Log } from '../platform/log.ts';
import { mountPages } from './docs-page/pages.ts';
import { mountRoutes } from './http/mount.ts';
import { createHostCheck } from './http/request.ts';
import type { Route, ServiceName } from './http/route.ts';
import { createHttpServer } from './http/server.ts';
import { createOpenApi } from './openapi/document.ts';
import { exportRoutes } from './routes/exports.ts';
import { statementRoutes } from './routes/statements.ts';
import { transactionRoutes } from './routes/transactions.ts';
import { walletRoutes } from './routes/wallets.ts';

export type GatewayOptions = {
  /** Of a service in this process a function call, otherwise gRPC. */
  readonly callers: Readonly<Record<ServiceName, Caller>>;
  readonly log: Log;
  /** Addresses whose `x-forwarded-for` is believed. */
  readonly proxies: AddressSet;
  readonly tls: ServerTls | undefined;
  /** False while calls would be refused: during the start and the drain. */
  readonly isReady: () => boolean;
  readonly config: {
    readonly defaultCurrency: string;
    /** Names by which requests with a cookie may address this gateway. */
    readonly allowedHosts: readonly string[];
  };
};

export type Gateway = {
  /** Serves on an address; the port is the real one where 0 was asked for. Rejects if it is taken. */
  listen(host: string, port: number): Promise<{ readonly port: number }>;
  /** Takes no more requests; those in flight are answered within the time. */
  stop(timeoutMs: number): Promise<void>;
};

/** Every route of the table, from which the OpenAPI document is made too. */
export const listRoutes = (defaultCurrency: string): readonly Route[] => [
  ...transactionRoutes(defaultCurrency),
  ...walletRoutes,
  ...statementRoutes,
  ...exportRoutes,
];

/** The HTTP gateway: it has no rules of its own and no database. */
export function createGateway(options: GatewayOptions): Gateway {
  const { callers, log, proxies, tls, isReady, config } = options;
  const stopping = new AbortController();
  const decorateProblem = (_path: string, problem: object): object => problem;
  const server = createHttpServer({ log, proxies, tls, decorateProblem });
  const routes = listRoutes(config.defaultCurrency);
  mountPages(server, {
    document: createOpenApi(routes),
    isReady: () => isReady() && !stopping.signal.aborted,
  });
  mountRoutes(server, routes, {
    callers,
    decorateProblem,
    hosts: createHostCheck(config.allowedHosts),
    exchange: refuseCookies,
    stopping: stopping.signal,
  });
  return {
    listen: async (host, port) => {
      await server.listen({ host, port });
      return { port: (server.server.address() as AddressInfo).port };
    },
    stop: async (timeoutMs) => {
      stopping.abort();
      const timer = setTimeout(() => server.server.closeAllConnections(), timeoutMs);
      await server.close();
      clearTimeout(timer);
    },
  };
}

const refuseCookies = (): Promise<Result<string>> =>
  Promise.resolve(refuse('TOKEN_INVALID', 'the session cookie is not known: sign in'));
