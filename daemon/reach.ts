import type { Config } from './config.ts';
import type { Outcome } from './fault.ts';
import type { Account } from './host/account.ts';
import { openOwnSocket } from './own-socket.ts';
import { createAuthPeer, createWalletPeer } from './peers.ts';
import type { PeerTls } from './platform/grpc/client.ts';
import type { Lifecycle } from './platform/lifecycle.ts';
import { formatHostPort, type ServiceName } from './settings.ts';

/** The services that others ask. */
export type Peers = {
  readonly auth: ReturnType<typeof createAuthPeer>;
  readonly wallet: ReturnType<typeof createWalletPeer>;
};

/**
 * The services as they see each other. Those hosted here are reached by a socket of our own:
 * whatever names the certificate has, and however many connections others hold.
 */
export async function connectPeers(
  config: Config,
  account: Account | null,
  credential: string,
  tls: PeerTls,
  lifecycle: Lifecycle,
): Promise<Outcome<Peers & { readonly ownAddress: string }>> {
  const own = await openOwnSocket(account ?? { uid: config.home.uid });
  if (!own.ok) return own;
  lifecycle.defer('own socket', () => own.value.remove());
  const reach = (name: ServiceName) => reachOf(config, name, credential, tls, own.value.address);
  const auth = createAuthPeer(...reach('auth'));
  const wallet = createWalletPeer(...reach('wallet'));
  lifecycle.defer('peers', () => [auth, wallet].forEach((peer) => peer.close()));
  return { ok: true, value: { auth, wallet, ownAddress: own.value.address } };
}

/** How a service is reached: by its configured address, otherwise by `ownAddress`. */
export function reachOf(
  config: Config,
  name: ServiceName,
  credential: string,
  tls: PeerTls,
  ownAddress: string,
) {
  const peer = config.peerAddresses[name];
  const address = peer ? formatHostPort(peer) : ownAddress;
  return [() => address, credential, peer?.hasTls ? tls : undefined] as const;
}
