import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import type { ServerTls } from '../../platform/grpc/ingress/listener.ts';
import type { AddressSet } from '../../platform/grpc/ingress/source.ts';
import type { Log } from '../../platform/log.ts';
import { addBodyParsers, maxBodyBytes, RequestFault } from './bodies.ts';
import { securityHeaders } from './connection.ts';
import { createCors, type Cors } from './cors.ts';
import { connectionOf, createHttpListener } from './listener.ts';
import { fault, toProblem, type Fault, type ProblemReason } from './problems.ts';
import { ingressOf, requestIdOf, type Ingress } from './request.ts';
import type { Route } from './route.ts';
import { findMalformation, hasBody, toOriginForm } from './well-formed.ts';

declare module 'fastify' {
  interface FastifyRequest {
    ingress: Ingress;
  }
}

export type HttpServerOptions = {
  readonly log: Log;
  readonly proxies: AddressSet;
  readonly tls: ServerTls | undefined;
  /** Origins whose pages may read answers; none if not given. */
  readonly corsOrigins?: readonly string[];
  /** The methods that a path takes; none where there is no such path. */
  readonly methodsOf: (path: string) => readonly string[];
  /** Answers whose body is not a problem, like those of the simple API, add to it. */
  readonly decorateProblem: (path: string, problem: object) => object;
  /** A client that takes nothing of its answer for so long loses the connection. */
  readonly stallTimeoutMs?: number;
};

/** What still arrives is served: it would be refused without a problem. */
const whileStopping = { forceCloseConnections: 'idle', return503OnClosing: false } as const;

/** A fastify instance with what all routes share: limits, ids, headers, and faults as problems. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { log, methodsOf, proxies } = options;
  const cors = createCors(options.corsOrigins ?? []);
  const server = fastify({
    logger: false,
    serverFactory: (handle) => createHttpListener({ ...options, handle }),
    bodyLimit: maxBodyBytes,
    genReqId: (request) => requestIdOf(request.headers),
    requestIdHeader: false,
    rewriteUrl: toOriginForm,
    routerOptions: { maxParamLength: 300 },
    exposeHeadRoutes: false,
    ...whileStopping,
    frameworkErrors: (err, request, reply) => {
      begin(request, reply, { proxies, cors });
      sendFault(options, request, reply, faultOf(err, log, request.id));
    },
    // Those of the listener above.
    clientErrorHandler: () => undefined,
  });
  addBodyParsers(server);
  server.decorateRequest('ingress', null as never);
  server.addHook('onRequest', (request, reply, done) => {
    begin(request, reply, { proxies, cors });
    const isBodiless = request.method === 'GET' || request.method === 'HEAD';
    const malformation = findMalformation(request.raw, isBodiless);
    const preflight = malformation
      ? undefined
      : cors.answerPreflight(request, methodsOf(pathOf(request)));
    const found = malformation ?? findNoRoute(options, request);
    if (preflight) void reply.code(204).headers(preflight).send();
    else if (found) sendFault(options, request, reply, found);
    else done();
  });
  server.addHook('onSend', (request, reply, payload, done) => {
    const vary = cors.varyOf(request, reply.getHeader('vary') as string | undefined);
    if (vary !== undefined) void reply.header('vary', vary);
    done(null, payload);
  });
  // Answered by the hook above, before a body is read.
  server.setNotFoundHandler(() => undefined);
  server.setErrorHandler((err, request, reply) => {
    sendFault(options, request, reply, faultOf(err, log, request.id));
  });
  return server;
}

/** What an answer has in any case. */
function begin(
  request: FastifyRequest,
  reply: FastifyReply,
  { proxies, cors }: { readonly proxies: AddressSet; readonly cors: Cors },
): void {
  request.ingress = ingressOf(request, proxies);
  void reply.headers(securityHeaders).header('x-request-id', request.id);
  void reply.headers(cors.headersOf(request));
  if (request.ingress.isTls) void reply.header('strict-transport-security', 'max-age=31536000');
}

/** Faults of fastify by their codes. */
const reasonOfCode: Readonly<Record<string, readonly [ProblemReason, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'MEDIA_TYPE_UNSUPPORTED',
    'the header Content-Type must be application/json',
  ],
  FST_ERR_BAD_URL: ['URI_INVALID', 'the path is not a valid URI'],
  FST_ERR_MAX_PARAM_LENGTH: ['URI_INVALID', 'a part of the path is too long'],
};

function faultOf(err: unknown, log: Log, requestId: string): Fault {
  if (err instanceof RequestFault) return err.fault;
  const code = err instanceof Error && 'code' in err ? String(err.code) : '';
  const known = reasonOfCode[code];
  if (known) return fault(...known);
  // Whatever else fastify finds wrong with a request.
  if (code.startsWith('FST_') && isClientFault(err)) {
    return fault('REQUEST_MALFORMED', 'the request is malformed');
  }
  log.error({ err, requestId }, 'unexpected error');
  return fault(
    'INTERNAL',
    `something went wrong on the server: it is in the log under request id ${requestId}`,
  );
}

function isClientFault(err: unknown): boolean {
  const status = err instanceof Error && 'statusCode' in err ? Number(err.statusCode) : 500;
  return status >= 400 && status < 500;
}

const pathOf = ({ url }: FastifyRequest): string => url.split(/[?#]/)[0] ?? '/';

/** 405 where the path has other methods. */
function findNoRoute({ methodsOf }: HttpServerOptions, request: FastifyRequest): Fault | undefined {
  if (!request.is404) return undefined;
  const path = pathOf(request);
  const others = methodsOf(path);
  if (others.length > 0) {
    return fault('METHOD_NOT_ALLOWED', `${path} takes ${others.join(', ')}`, {
      allow: others.join(', '),
    });
  }
  return fault('ROUTE_NOT_FOUND', `there is no ${request.method} ${path.slice(0, 200)}: see /docs`);
}

/** Answers with a problem (RFC 9457). */
export function sendFault(
  { decorateProblem }: Pick<HttpServerOptions, 'decorateProblem'>,
  request: FastifyRequest,
  reply: FastifyReply,
  cause: Fault,
  route?: Pick<Route, 'problemStatuses' | 'fieldNames'>,
): void {
  const problem = toProblem(cause, request.id, route);
  if (problem.retryAfterMs !== undefined) {
    void reply.header('retry-after', String(Math.max(1, Math.ceil(problem.retryAfterMs / 1_000))));
  }
  // What is left of the body is not worth reading.
  if (hasBody(request.headers) && !request.raw.complete) {
    void reply.header('connection', 'close');
    connectionOf(request.raw)?.stopReading();
  }
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (cause.metadata['allow'] !== undefined) void reply.header('allow', cause.metadata['allow']);
  void reply
    .code(problem.status)
    .header('content-type', 'application/problem+json')
    .send(Buffer.from(JSON.stringify(decorateProblem(request.url, problem))));
}
