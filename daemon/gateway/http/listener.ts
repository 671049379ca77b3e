import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { createConnections } from '../../platform/grpc/ingress/connections.ts';
import {
  connectionLimits,
  contextOf,
  createRefusalReporter,
  type ConnectionLimits,
  type ServerTls,
} from '../../platform/grpc/ingress/listener.ts';
import type { AddressSet } from '../../platform/grpc/ingress/source.ts';
import type { Log } from '../../platform/log.ts';
import { createConnectionState, type ConnectionState } from './connection.ts';
import { fault, type Fault } from './problems.ts';

const maxHeaderBytes = 8 * 1024;
const requestTimeoutMs = 30_000;
const keepAliveTimeoutMs = 65_000;
/** Longer than any call takes to be answered, and than the comments of an event stream are apart. */
const defaultStallTimeoutMs = 60_000;

export type ListenerOptions = {
  readonly handle: RequestListener;
  readonly tls: ServerTls | undefined;
  readonly proxies: AddressSet;
  readonly log: Log;
  readonly limits?: ConnectionLimits;
  /** A connection on which nothing is sent, and nothing taken, for so long is ended. */
  readonly stallTimeoutMs?: number;
};

const states = new WeakMap<Duplex, ConnectionState>();

/** The connection of a request; none where a test calls the server without one. */
export const connectionOf = ({ socket }: Pick<IncomingMessage, 'socket'>) => states.get(socket);

/**
 * Node's HTTP server with the limits of this gateway: connections of all and of each network, one
 * request after the other on each, and an answer for what is no request.
 */
export function createHttpListener(options: ListenerOptions): Server {
  const { handle, proxies, log, limits = connectionLimits } = options;
  const connections = createConnections(limits, proxies);
  const reportRefusals = createRefusalReporter(log);
  const { stallTimeoutMs = defaultStallTimeoutMs } = options;
  const server = openServer(options.tls, limits);
  server.timeout = stallTimeoutMs;
  const take = (socket: Socket): void => {
    if (connections.take(socket)) return;
    reportRefusals(socket.remoteAddress ?? '');
    socket.destroy();
  };
  const begin = (socket: Socket): void => {
    if (socket.destroyed) return;
    const state = createConnectionState(socket, handle);
    states.set(socket, state);
    connections.begin(socket, {
      findIdleSinceMs: state.findIdleSinceMs,
      close: () => socket.destroySoon(),
    });
  };
  // Before Node's own listeners, which then find it destroyed.
  server.prependListener('connection', take);
  server.prependListener('secureConnection', begin);
  if (!options.tls) server.on('connection', begin);
  server.on('request', (request, response) =>
    states.get(request.socket)?.receive(request, response),
  );
  // Whatever it expects is looked at with the other headers.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => undefined);
    states.get(socket)?.endWith(noTunnel);
  });
  server.on('clientError', (err: NodeJS.ErrnoException, socket: Duplex) => endBroken(err, socket));
  return server;
}

function openServer(tls: ServerTls | undefined, { handshakeMs }: ConnectionLimits): Server {
  const limits = {
    maxHeaderSize: maxHeaderBytes,
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: 5_000,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    // Refused by the parser: a chunked body that also says how long it is (request smuggling).
    insecureHTTPParser: false,
    // Answered later, with a problem.
    requireHostHeader: false,
  };
  const server = tls
    ? openTlsServer(tls, { ...limits, handshakeTimeout: handshakeMs })
    : createServer(limits);
  // Counted later. Node would drop what is past the number, without a word.
  server.maxHeadersCount = 0;
  return server;
}

function openTlsServer(tls: ServerTls, limits: object): Server {
  const material = tls.current();
  const mutual = material.clientCa ? { requestCert: true, rejectUnauthorized: true } : {};
  const server = createTlsServer({ ...limits, ...mutual, ...contextOf(material) });
  tls.subscribe((renewed) => server.setSecureContext(contextOf(renewed)));
  return server;
}

const noTunnel = fault('METHOD_NOT_ALLOWED', 'this server opens no tunnels (CONNECT)');
const malformed = fault('REQUEST_MALFORMED', 'the request is not HTTP/1.1');
/** By the codes of Node's parser. */
const badRequests: Readonly<Record<string, Fault>> = {
  HPE_HEADER_OVERFLOW: fault('HEADERS_TOO_LARGE', 'the headers have at most 8 KiB in all'),
  ERR_HTTP_REQUEST_TIMEOUT: fault('REQUEST_TIMEOUT', 'the request did not arrive within 30 s'),
};

/** What is not HTTP, or too large or too slow to become a request, has no request to answer. */
function endBroken(err: NodeJS.ErrnoException, socket: Duplex): void {
  const state = states.get(socket);
  if (!state || socket.destroyed || err.code === 'ECONNRESET' || err.code === 'EPIPE') {
    socket.destroy();
    return;
  }
  state.endWith(badRequests[err.code ?? ''] ?? malformed);
}
