import type { Http2Server, ServerOptions } from 'node:http2';

import { ServerCredentials, type ConnectionInjector, type Server } from '@grpc/grpc-js';

// What Node's HTTP/2 can bound and grpc-js has no option for.
const http2Limits = {
  maxHeaderListBytes: 16 * 1024,
  maxSettings: 32,
  // Also streams past a limit that has just been lowered. What they cost is bounded by their bytes.
  maxInvalidFrames: 20_000,
  // Streams reset by the client: so many at once, and then so many a second.
  ...{ resetBurst: 200, resetRate: 50 },
};

/**
 * The HTTP/2 server inside the gRPC server, into which our listener hands its connections. grpc-js
 * keeps it and its options to itself; if another version has no such fields, this does not compile
 * or throws at start.
 */
export function openHttp2(server: Server): {
  http2Server: Http2Server;
  injector: ConnectionInjector;
} {
  const http2Options = server['commonServerOptions'] as ServerOptions;
  Object.assign(http2Options, {
    settings: { ...http2Options.settings, maxHeaderListSize: http2Limits.maxHeaderListBytes },
    maxSettings: http2Limits.maxSettings,
    maxSessionInvalidFrames: http2Limits.maxInvalidFrames,
    streamResetBurst: http2Limits.resetBurst,
    streamResetRate: http2Limits.resetRate,
  });
  // TLS, where there is any, has been spoken by the time a connection gets here.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const [http2Server] = (server['http2Servers'] as ReadonlyMap<Http2Server, unknown>).keys();
  if (!http2Server) throw new Error('the gRPC server has no HTTP/2 server');
  return { http2Server, injector };
}
