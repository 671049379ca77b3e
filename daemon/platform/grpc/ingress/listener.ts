import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions } from 'node:tls';

import { tlsCiphers } from '../../../../core/tls-ciphers.ts';
import type { Log } from '../../log.ts';
import { createConnections } from './connections.ts';
import type { Presence } from './goaway.ts';
import type { AddressSet } from './source.ts';

/**
 * Certificate and key in PEM; with `clientCa`, clients must show a certificate of that authority.
 */
export type TlsMaterial = {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | undefined;
};

/** Material that is renewed while it is in use. */
export type ServerTls = {
  current(): TlsMaterial;
  /** Calls back with each renewal. */
  subscribe(onRenewed: (material: TlsMaterial) => void): void;
};

export type ConnectionLimits = {
  /** Connections of all callers but this host and the trusted proxies. */
  readonly all: number;
  /** Of these, from one network. */
  readonly perSource: number;
  /**
   * Of this machine and the trusted proxies: enough for them when the others have all of theirs.
   */
  readonly trusted: number;
  readonly handshakeMs: number;
  /** A connection that is younger is not closed to make room for another. */
  readonly settleMs: number;
};

export const connectionLimits: ConnectionLimits = {
  all: 2_000,
  perSource: 200,
  trusted: 2_000,
  handshakeMs: 10_000,
  settleMs: 1_000,
};

export type Listener = {
  /** Resolves to the port, or rejects if the address cannot be had. */
  listen(where: { host: string; port: number }): Promise<number>;
  /** No new connections; those that were accepted go on. */
  stop(): void;
  /** Cuts the connections that are left. */
  cut(): void;
  /** True while a connection is open, whatever was spoken on it. */
  isInUse(): boolean;
};

const tcp = { keepAlive: true, keepAliveInitialDelay: 60_000 };
const reportEveryMs = 10_000;

/**
 * Accepts connections, by TLS where there is material for it, and hands on those that may come in:
 * a cap on all and on each network, and a time for the handshake, before HTTP/2 sees a byte.
 */
export function createListener(options: {
  readonly tls: ServerTls | undefined;
  readonly limits: ConnectionLimits;
  readonly proxies: AddressSet;
  readonly log: Log;
  /** Returns what reports whether the connection is idle. */
  readonly onConnection: (socket: Socket) => Presence | undefined;
}): Listener {
  const { tls, limits, proxies, log } = options;
  const connections = createConnections(limits, proxies);
  const onConnection = (socket: Socket): void => {
    const presence = options.onConnection(socket);
    if (presence) connections.begin(socket, presence);
  };
  const open = new Set<Socket>();
  const reportRefusals = createRefusalReporter(log);
  const { server, begin } = tls
    ? createSecure({ tls, limits, log, onConnection })
    : { server: createServer(tcp), begin: onConnection };
  server.on('connection', (socket: Socket) => {
    if (!connections.take(socket)) {
      reportRefusals(socket.remoteAddress ?? '');
      socket.destroy();
      return;
    }
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    begin(socket);
  });
  return {
    listen: (where) => listen(server, where),
    stop: () => void server.close(),
    cut: () => open.forEach((socket) => socket.destroy()),
    isInUse: () => open.size > 0,
  };
}

/**
 * A server of TLS that listens by itself. `begin` starts the handshake on a connection: the
 * server's own listener, which would start it also on those that are refused.
 */
function createSecure(options: {
  readonly tls: ServerTls;
  readonly limits: ConnectionLimits;
  readonly log: Log;
  readonly onConnection: (socket: Socket) => void;
}): { readonly server: Server; readonly begin: (socket: Socket) => void } {
  const { tls, limits, log, onConnection } = options;
  const isMutual = tls.current().clientCa !== undefined;
  const server = createTlsServer({
    ...tcp,
    ...contextOf(tls.current()),
    ALPNProtocols: ['h2'],
    handshakeTimeout: limits.handshakeMs,
    requestCert: isMutual,
    rejectUnauthorized: isMutual,
  });
  tls.subscribe((material) => server.setSecureContext(contextOf(material)));
  server.on('secureConnection', (socket) => {
    // The session handles errors of its connection; before and after it nothing else listens.
    socket.on('error', () => undefined);
    if (socket.alpnProtocol === 'h2') onConnection(socket);
    else socket.destroy();
  });
  server.on('tlsClientError', (err, socket) => {
    log.debug({ err, source: socket.remoteAddress }, 'a TLS handshake failed');
    socket.destroy();
  });
  const [shake, ...others] = server.listeners('connection');
  if (!shake || others.length > 0) throw new Error('the TLS server does not listen as it did');
  server.removeAllListeners('connection');
  return { server, begin: (socket) => void shake.call(server, socket) };
}

export const contextOf = ({ cert, key, clientCa }: TlsMaterial): SecureContextOptions => ({
  cert,
  key,
  minVersion: 'TLSv1.2',
  ciphers: tlsCiphers,
  honorCipherOrder: true,
  ...(clientCa ? { ca: clientCa } : {}),
});

/** Reports refused connections as one line for each interval: a flood must not fill the log. */
export function createRefusalReporter(log: Log): (address: string) => void {
  let refused = 0;
  let timer: NodeJS.Timeout | undefined;
  return (address) => {
    refused += 1;
    timer ??= setTimeout(() => {
      log.warn({ refused, lastSource: address }, 'connections were refused: there are too many');
      refused = 0;
      timer = undefined;
    }, reportEveryMs).unref();
  };
}

function listen(server: Server, where: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
