import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Caller } from '../platform/grpc/caller/caller.ts';
import type { ServerTls } from '../platform/grpc/ingress/listener.ts';
import type { AddressSet } from '../platform/grpc/ingress/source.ts';
import type { Log } from '../platform/log.ts';
import { createBrowserSessions, type ExchangeSession } from './browser-sessions.ts';
import { listPagePaths, listPages, mountPages } from './docs-page/pages.ts';
import { createTroubleFinder } from './docs-page/readiness.ts';
import { createMethodLookup, mountRoutes } from './http/mount.ts';
import { createHostCheck } from './http/request.ts';
import type { Route, ServiceName } from './http/route.ts';
import { createHttpServer } from './http/server.ts';
import { batchRoute } from './routes/transaction-batch.ts';
import { closingRoutes } from './routes/closing.ts';
import { recipientRoutes } from './routes/recipients.ts';
import { eventRoutes } from './routes/events.ts';
import { apiKeyRoutes } from './routes/api-keys.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { signInRoutes } from './routes/sign-in.ts';
import { createOpenApi } from './openapi/document.ts';
import { exportRoutes } from './routes/exports.ts';
import { holdRoutes } from './routes/holds/holds.ts';
import { termsRoutes } from './routes/holds/terms.ts';
import { searchRoutes } from './routes/statement-search.ts';
import { statementRoutes } from './routes/statements.ts';
import { transactionRoutes } from './routes/transactions.ts';
import { userRoutes } from './routes/users.ts';
import { walletRoutes } from './routes/wallets.ts';
import { simpleAuthRoutes } from './simple/auth.ts';
import { simpleExportRoutes } from './simple/exports.ts';
import { decorateSimpleProblem } from './simple/problems.ts';
import { simpleStatementRoutes } from './simple/statements.ts';
import { simpleWalletRoutes } from './simple/wallet.ts';

export type GatewayOptions = {
  /** Of a service in this process a function call, otherwise gRPC. */
  readonly callers: Readonly<Record<ServiceName, Caller>>;
  /** As one of our own services: the token of a browser's session is no credential of a user. */
  readonly exchangeSession: ExchangeSession;
  readonly log: Log;
  /** Addresses whose `x-forwarded-for` is believed. */
  readonly proxies: AddressSet;
  readonly tls: ServerTls | undefined;
  /** False while calls would be refused: during the start and the drain. */
  readonly isReady: () => boolean;
  /** Services of other processes that do not answer: a text for each. */
  readonly findTroubles?: () => Promise<readonly string[]>;
  readonly config: {
    readonly defaultCurrency: string;
    /** Names by which requests with a cookie may address this gateway. */
    readonly allowedHosts: readonly string[];
    /** Origins whose pages may read answers under `/v1`, like `https://app.example.com`. */
    readonly corsOrigins?: readonly string[];
    /** 100 if not given. */
    readonly maxEventStreams?: number;
  };
};

export type Gateway = {
  /** Serves on an address; the port is the real one where 0 was asked for. Rejects if it is taken. */
  listen(host: string, port: number): Promise<{ readonly port: number }>;
  /** Takes no more requests; those in flight are answered within the time. */
  stop(timeoutMs: number): Promise<void>;
};

const noticeMs = 1_000;
/** Without a request for so long, no client is taken to send any more. */
const quietMs = 300;
const lookEveryMs = 20;
/** So long before its time is over a gateway that stops answers what is still in flight. */
const answerMs = 500;

/** Every route of the table, from which the OpenAPI document is made too. */
export const listRoutes = (defaultCurrency: string, maxEventStreams?: number): readonly Route[] => [
  ...transactionRoutes(defaultCurrency),
  batchRoute(defaultCurrency),
  ...holdRoutes(defaultCurrency),
  ...walletRoutes,
  ...termsRoutes,
  ...closingRoutes,
  ...recipientRoutes,
  ...eventRoutes(maxEventStreams),
  ...signInRoutes,
  ...sessionRoutes,
  ...userRoutes,
  ...apiKeyRoutes,
  ...simpleAuthRoutes,
  ...simpleWalletRoutes(defaultCurrency),
  ...simpleStatementRoutes,
  ...simpleExportRoutes,
  ...statementRoutes,
  ...searchRoutes,
  ...exportRoutes,
];

/** The HTTP gateway: it has no rules of its own and no database. */
export function createGateway(options: GatewayOptions): Gateway {
  const { callers, exchangeSession, log, proxies, tls, isReady, config } = options;
  const { findTroubles = () => Promise.resolve([]) } = options;
  const stopping = new AbortController();
  const decorateProblem = decorateSimpleProblem;
  const routes = listRoutes(config.defaultCurrency, config.maxEventStreams);
  const pages = listPages(createOpenApi(routes));
  const methodsOf = createMethodLookup([...routes, ...listPagePaths(pages)]);
  const { corsOrigins = [] } = config;
  const server = createHttpServer({ log, proxies, tls, corsOrigins, methodsOf, decorateProblem });
  mountPages(server, {
    pages,
    isReady: () => isReady() && !stopping.signal.aborted,
    findTroubles: createTroubleFinder(findTroubles),
  });
  let calledAtMs = -Infinity;
  server.addHook('onRequest', (_request, _reply, done) => {
    calledAtMs = performance.now();
    done();
  });
  const inFlight = new Set<() => void>();
  mountRoutes(server, routes, {
    ...{ callers, inFlight },
    decorateProblem,
    hosts: createHostCheck(config.allowedHosts),
    sessions: createBrowserSessions({ exchange: exchangeSession }),
    stopping: stopping.signal,
  });
  return {
    listen: async (host, port) => {
      await server.listen({ host, port });
      return { port: (server.server.address() as AddressInfo).port };
    },
    stop: async (timeoutMs) => {
      stopping.abort();
      const endsAtMs = performance.now() + timeoutMs;
      const cut = setTimeout(() => inFlight.forEach((giveUp) => giveUp()), timeoutMs - answerMs);
      const end = setTimeout(() => server.server.closeAllConnections(), timeoutMs);
      // While requests still come, balancers have a moment to see that this gateway is not ready.
      const noticedAtMs = Math.min(performance.now() + noticeMs, endsAtMs - answerMs);
      while (performance.now() < Math.min(calledAtMs + quietMs, noticedAtMs)) {
        await sleep(lookEveryMs);
      }
      await server.close();
      clearTimeout(cut);
      clearTimeout(end);
    },
  };
}
