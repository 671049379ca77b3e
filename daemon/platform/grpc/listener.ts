import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions } from 'node:tls';

import type { Log } from '../log.ts';
import { loopback, type AddressSet } from './source.ts';

/** Certificate and key in PEM; with `clientCa`, clients must show a certificate of that authority. */
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
  /** Connections of everybody but this machine and the trusted proxies. */
  readonly all: number;
  /** Of these, from one address. */
  readonly perSource: number;
  /** Of this machine and the trusted proxies: enough for them when the others have all of theirs. */
  readonly trusted: number;
  readonly handshakeMs: number;
};

export const connectionLimits: ConnectionLimits = {
  all: 2_000,
  perSource: 200,
  trusted: 2_000,
  handshakeMs: 10_000,
};

export type Listener = {
  /** Resolves to the port, or rejects if the address cannot be had. */
  listen(where: { host: string; port: number } | { path: string }): Promise<number>;
  /** No new connections; those that have not got as far as HTTP/2 are cut. */
  stop(): void;
};

const tcpKeepAliveMs = 60_000;
const tellEveryMs = 10_000;

/**
 * Accepts connections, by TLS where there is material for it, and hands on those that may come in:
 * a cap on all and on each source, and a time for the handshake, before HTTP/2 sees a byte.
 */
export function createListener(options: {
  readonly tls: ServerTls | undefined;
  readonly limits: ConnectionLimits;
  readonly proxies: AddressSet;
  readonly log: Log;
  readonly onConnection: (socket: Socket) => void;
}): Listener {
  const { tls, limits, proxies, log, onConnection } = options;
  const isTrusted = (address: string): boolean => loopback.has(address) || proxies.has(address);
  const counts = createConnectionCounts(limits, isTrusted);
  const shaking = new Set<Socket>();
  const tellRefusals = createTeller(log);
  const secure = tls && createSecure({ tls, limits, log, shaking, onConnection });

  const server = createServer({ keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs });
  server.on('connection', (socket) => {
    // Gone already, or by a Unix socket: then only whoever may enter its folder gets here.
    const address = socket.remoteAddress ?? '';
    if (!counts.take(address)) {
      tellRefusals(address);
      socket.destroy();
      return;
    }
    socket.once('close', () => counts.give(address));
    if (!secure) {
      onConnection(socket);
      return;
    }
    shaking.add(socket);
    socket.once('close', () => shaking.delete(socket));
    secure.emit('connection', socket);
  });
  return {
    listen: (where) => listen(server, where),
    stop: () => {
      server.close();
      secure?.close();
      for (const socket of shaking) socket.destroy();
    },
  };
}

/** TLS on sockets that were accepted elsewhere. */
function createSecure(options: {
  readonly tls: ServerTls;
  readonly limits: ConnectionLimits;
  readonly log: Log;
  readonly shaking: Set<Socket>;
  readonly onConnection: (socket: Socket) => void;
}): Server {
  const { tls, limits, log, shaking, onConnection } = options;
  const isMutual = tls.current().clientCa !== undefined;
  const secure = createTlsServer({
    ...contextOf(tls.current()),
    ALPNProtocols: ['h2'],
    handshakeTimeout: limits.handshakeMs,
    requestCert: isMutual,
    rejectUnauthorized: isMutual,
  });
  tls.subscribe((material) => secure.setSecureContext(contextOf(material)));
  secure.on('secureConnection', (socket) => {
    // Errors of a connection are told to its session, and have nobody to listen before and after.
    socket.on('error', () => undefined);
    if (socket.alpnProtocol === 'h2') onConnection(socket);
    else socket.destroy();
  });
  secure.on('tlsClientError', (err, socket) => {
    log.debug({ err, source: socket.remoteAddress }, 'a TLS handshake failed');
    socket.destroy();
  });
  const forget = (socket: Socket): void => void shaking.delete(socket);
  secure.on('secureConnection', forget);
  return secure;
}

const contextOf = ({ cert, key, clientCa }: TlsMaterial): SecureContextOptions => ({
  cert,
  key,
  minVersion: 'TLSv1.2',
  ...(clientCa ? { ca: clientCa } : {}),
});

function createConnectionCounts(
  limits: ConnectionLimits,
  isTrusted: (address: string) => boolean,
): { take(address: string): boolean; give(address: string): void } {
  const bySource = new Map<string, number>();
  const total = { trusted: 0, other: 0 };
  return {
    take: (address) => {
      if (address === '') return true;
      const kind = isTrusted(address) ? 'trusted' : 'other';
      if (total[kind] >= (kind === 'trusted' ? limits.trusted : limits.all)) return false;
      const count = bySource.get(address) ?? 0;
      if (kind === 'other' && count >= limits.perSource) return false;
      bySource.set(address, count + 1);
      total[kind] += 1;
      return true;
    },
    give: (address) => {
      if (address === '') return;
      total[isTrusted(address) ? 'trusted' : 'other'] -= 1;
      const count = (bySource.get(address) ?? 1) - 1;
      if (count === 0) bySource.delete(address);
      else bySource.set(address, count);
    },
  };
}

/** Tells of refused connections, but not of each: a flood must not flood the log. */
function createTeller(log: Log): (address: string) => void {
  let refused = 0;
  let timer: NodeJS.Timeout | undefined;
  return (address) => {
    refused += 1;
    timer ??= setTimeout(() => {
      log.warn({ refused, lastSource: address }, 'connections were refused: there are too many');
      refused = 0;
      timer = undefined;
    }, tellEveryMs).unref();
  };
}

function listen(
  server: Server,
  where: { host: string; port: number } | { path: string },
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
