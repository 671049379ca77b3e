import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';

import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import { contextOf, type ServerTls } from '../../platform/grpc/ingress/listener.ts';
import type { AddressSet } from '../../platform/grpc/ingress/source.ts';
import type { Log } from '../../platform/log.ts';
import { parseJson } from './json-text.ts';
import { fault, toProblem, type Fault, type ProblemReason } from './problems.ts';
import { ingressOf, requestIdOf, type Ingress } from './request.ts';

const maxBodyBytes = 256 * 1024;
const maxHeaderBytes = 8 * 1024;
const requestTimeoutMs = 30_000;
const keepAliveTimeoutMs = 65_000;
/** Longer than any request waits before its answer begins. */
const defaultStallTimeoutMs = 120_000;

declare module 'fastify' {
  interface FastifyRequest {
    ingress: Ingress;
  }
}

/** What every answer says to browsers. */
const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': '',
} as const;

export type HttpServerOptions = {
  readonly log: Log;
  readonly proxies: AddressSet;
  readonly tls: ServerTls | undefined;
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
  const { proxies, log } = options;
  const server = fastify({
    logger: false,
    serverFactory: (handler) => openServer(handler, options),
    bodyLimit: maxBodyBytes,
    genReqId: (request) => requestIdOf(request.headers),
    requestIdHeader: false,
    routerOptions: { maxParamLength: 300 },
    exposeHeadRoutes: false,
    ...whileStopping,
    frameworkErrors: (err, request, reply) => {
      request.ingress = ingressOf(request, proxies);
      sendFault(options, request, reply, faultOf(err, log, request.id));
    },
    clientErrorHandler: (err, socket) => endBadConnection(err, socket),
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    const text = body as string;
    if (text === '') {
      done(null, undefined);
      return;
    }
    const parsed = parseJson(text);
    if (parsed.ok) done(null, parsed.value);
    else done(new RequestFault(describeJson(parsed.problem)));
  });
  server.addContentTypeParser(
    'application/x-ndjson',
    { parseAs: 'string' },
    (_request, body, done) => {
      const lines = (body as string).split('\n').filter((line) => line.trim() !== '');
      const items: unknown[] = [];
      for (const [i, line] of lines.entries()) {
        const parsed = parseJson(line);
        if (!parsed.ok) {
          const { reason, message } = describeJson(parsed.problem);
          done(
            new RequestFault(fault(reason, `line ${i + 1}: ${message}`, { line: String(i + 1) })),
          );
          return;
        }
        items.push(parsed.value);
      }
      done(null, { items });
    },
  );
  server.decorateRequest('ingress', null as never);
  server.addHook('onRequest', (request, reply, done) => {
    request.ingress = ingressOf(request, proxies);
    if (request.headers.host === undefined) {
      sendFault(options, request, reply, fault('REQUEST_MALFORMED', 'the header Host is missing'));
      return;
    }
    void reply.headers({
      ...securityHeaders,
      'x-request-id': request.id,
      'cache-control': 'no-store',
    });
    if (request.ingress.isTls) void reply.header('strict-transport-security', 'max-age=31536000');
    done();
  });
  server.setNotFoundHandler((request, reply) => {
    sendFault(options, request, reply, notFound(options.methodsOf, request));
  });
  server.setErrorHandler((err, request, reply) => {
    sendFault(options, request, reply, faultOf(err, log, request.id));
  });
  return server;
}

function openServer(
  handler: RequestListener,
  { tls, stallTimeoutMs = defaultStallTimeoutMs }: HttpServerOptions,
): Server {
  const limits = {
    maxHeaderSize: maxHeaderBytes,
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: 5_000,
    // Refused by the parser: a chunked body that also says how long it is (request smuggling).
    insecureHTTPParser: false,
    // Answered below, with a problem.
    requireHostHeader: false,
  };
  if (!tls) return bindTimeout(createServer(limits, handler), stallTimeoutMs);
  const material = tls.current();
  const mutual = material.clientCa ? { requestCert: true, rejectUnauthorized: true } : {};
  const server = bindTimeout(
    createTlsServer({ ...limits, ...mutual, ...contextOf(material) }, handler),
    stallTimeoutMs,
  );
  tls.subscribe((renewed) => server.setSecureContext(contextOf(renewed)));
  return server;
}

/** Of a connection on which nothing is sent or taken, while a request is in flight. */
function bindTimeout<T extends Server>(server: T, stallTimeoutMs: number): T {
  server.timeout = stallTimeoutMs;
  return server;
}

/** Thrown by a parser of bodies; everything else that is thrown is a defect. */
class RequestFault extends Error {
  readonly fault: Fault;
  constructor(cause: Fault) {
    super(cause.message);
    this.fault = cause;
  }
}

function describeJson(
  problem: Extract<ReturnType<typeof parseJson>, { ok: false }>['problem'],
): Fault {
  switch (problem.kind) {
    case 'syntax':
      return fault('JSON_INVALID', 'the body is not JSON');
    case 'duplicate-key':
      return fault('JSON_INVALID', `the key ${JSON.stringify(problem.text)} is given twice`);
    case 'reserved-key':
      return fault('JSON_INVALID', `the key ${JSON.stringify(problem.text)} is not allowed`);
    case 'inexact-number':
      return fault(
        'JSON_INVALID',
        `the number ${problem.text.slice(0, 40)} has more than 15 digits, which programs round: ` +
          'write it as a text',
      );
  }
}

/** Faults of fastify by their codes. */
const reasonOfCode: Readonly<Record<string, readonly [ProblemReason, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['BODY_TOO_LARGE', `a body has at most ${maxBodyBytes} bytes`],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'MEDIA_TYPE_UNSUPPORTED',
    'the header Content-Type must be application/json',
  ],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'JSON_INVALID',
    'the body is not as long as the header Content-Length says',
  ],
  FST_ERR_BAD_URL: ['URI_INVALID', 'the path is not a valid URI'],
  FST_ERR_MAX_PARAM_LENGTH: ['URI_INVALID', 'a part of the path is too long'],
  FST_ERR_REQ_INVALID_VALIDATION_INVOCATION: ['INVALID_ARGUMENT', 'the request is invalid'],
};

function faultOf(err: unknown, log: Log, requestId: string): Fault {
  if (err instanceof RequestFault) return err.fault;
  const code = err instanceof Error && 'code' in err ? String(err.code) : '';
  const known = reasonOfCode[code];
  if (known) return fault(...known);
  // The client has gone: no one reads the answer.
  if (code === 'ECONNRESET') return fault('CANCELLED', 'the request was given up');
  log.error({ err, requestId }, 'unexpected error');
  return fault(
    'INTERNAL',
    `something went wrong on the server: it is in the log under request id ${requestId}`,
  );
}

/** 405 where the path has other methods. */
function notFound(methodsOf: HttpServerOptions['methodsOf'], request: FastifyRequest): Fault {
  const [path = '/'] = request.url.split('?');
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
  ownStatuses?: Readonly<Partial<Record<ProblemReason, number>>>,
): void {
  const problem = toProblem(cause, request.id, ownStatuses);
  if (problem.retryAfterMs !== undefined) {
    void reply.header('retry-after', String(Math.max(1, Math.ceil(problem.retryAfterMs / 1_000))));
  }
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (cause.metadata['allow'] !== undefined) void reply.header('allow', cause.metadata['allow']);
  void reply
    .code(problem.status)
    .header('content-type', 'application/problem+json')
    .send(Buffer.from(JSON.stringify(decorateProblem(request.url, problem))));
}

const malformed = fault('REQUEST_MALFORMED', 'the request is not HTTP/1.1');
/** By the codes of Node's parser. */
const badRequests: Readonly<Record<string, Fault>> = {
  HPE_HEADER_OVERFLOW: fault('HEADERS_TOO_LARGE', 'the headers have at most 8 KiB in all'),
  ERR_HTTP_REQUEST_TIMEOUT: fault('REQUEST_TIMEOUT', 'the request did not arrive within 30 s'),
};

/** What is not HTTP, or too large or too slow to become a request, has no request to answer. */
function endBadConnection(err: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const cause = badRequests[err.code ?? ''] ?? malformed;
  const problem = toProblem(cause, requestIdOf({}));
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\nConnection: close\r\n` +
      'Content-Type: application/problem+json\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
