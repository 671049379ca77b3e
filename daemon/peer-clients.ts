import type { Config } from './config/config.ts';
import type { Reason } from '../core/reasons.ts';
import { createAuthPeer, createWalletPeer } from './peers.ts';
import type { Caller } from './platform/grpc/caller/caller.ts';
import { createRemoteCaller, type PeerTls } from './platform/grpc/caller/remote.ts';
import type { GrpcServer } from './platform/grpc/server.ts';
import type { Lifecycle } from './platform/lifecycle.ts';
import type { PeerName } from './config/peer-settings.ts';
import { formatHostPort } from './config/settings.ts';

/** The services that others ask. */
export type Peers = {
  readonly auth: ReturnType<typeof createAuthPeer>;
  readonly wallet: ReturnType<typeof createWalletPeer>;
};

/**
 * The services as they see each other: those hosted here by function calls, which are possible once
 * `host` has the server, and the others over gRPC.
 */
export function connectPeers(
  config: Config,
  credential: string,
  tls: PeerTls,
  lifecycle: Lifecycle,
): Peers & { host(server: Pick<GrpcServer, 'createCaller'>): void } {
  const hosted = createHostedCaller();
  const callerOf = (name: PeerName, isApart = false): Caller => {
    if (config.services.includes(name)) return hosted.caller;
    const remote = callRemote(config, name, credential, tls, isApart);
    lifecycle.defer(`calls to ${name}`, () => remote.close());
    return remote;
  };
  return {
    auth: createAuthPeer(callerOf('auth'), callerOf('auth', true)),
    wallet: createWalletPeer(callerOf('wallet')),
    host: hosted.host,
  };
}

/**
 * Calls to a service in another process, at its configured address; `isApart`: on a connection of
 * their own, so that they do not wait behind others.
 */
export function callRemote(
  config: Pick<Config, 'peerAddresses'>,
  name: PeerName,
  serviceCredential: string | undefined,
  tls: PeerTls,
  isApart = false,
): Caller {
  const peer = config.peerAddresses[name];
  const address = peer ? formatHostPort(peer) : undefined;
  const material = peer?.hasTls ? tls : undefined;
  const shown = serviceCredential === undefined ? {} : { serviceCredential };
  const unreachable = unreachables[name];
  return createRemoteCaller({ address, ...shown, tls: material, isApart, unreachable });
}

const unreachables = {
  auth: 'AUTH_UNAVAILABLE',
  wallet: 'WALLET_UNAVAILABLE',
  statement: 'STATEMENT_UNAVAILABLE',
} as const satisfies Record<PeerName, Reason>;

/** Services are made with the callers by which they reach each other, and hosted after that. */
export function createHostedCaller(): {
  readonly caller: Caller;
  host(server: Pick<GrpcServer, 'createCaller'>): void;
} {
  let hosted: Caller | undefined;
  const find = (): Caller => {
    if (!hosted) throw new Error('no service is hosted yet');
    return hosted;
  };
  return {
    caller: {
      call: (method, request, options) => find().call(method, request, options),
      stream: (method, request, options) => find().stream(method, request, options),
      close: () => undefined,
    },
    host: (server) => {
      hosted = server.createCaller({ kind: 'service' });
    },
  };
}
