import type { Socket } from 'node:net';

import { networkOf } from '../../../../core/networks.ts';
import { loopback, type AddressSet } from './source.ts';
import { createFairPool, type FairPool } from '../../concurrency/fair-pool.ts';
import type { Presence } from './goaway.ts';

type Limits = {
  readonly all: number;
  readonly perSource: number;
  readonly trusted: number;
  readonly settleMs: number;
};

export type Connections = {
  /** Counts a connection until it is closed. False if there is no room for it. */
  take(socket: Socket): boolean;
  /** HTTP/2 has begun on it, maybe by TLS: only what is idle then may be closed to make room. */
  begin(socket: Socket, presence: Presence): void;
};

/** A last frame may be written for so long. */
const lingerMs = 500;

/**
 * Neither this machine nor one trusted proxy takes all places of the trusted: the last tenth is for
 * the others of them.
 */
const trustedPart = 0.9;

/**
 * Counts connections by network, with a cap on all and on each. When it is full, the longest idle
 * connection of the largest network is closed for a newcomer from a smaller one; when a network is
 * at its cap, its own. This machine and trusted proxies, behind which many clients may be, are
 * counted apart.
 */
export function createConnections(limits: Limits, proxies: AddressSet): Connections {
  const nowMs = (): number => performance.now();
  const poolOf = (all: number, ofOne: number): FairPool =>
    createFairPool({ all, ofOne: () => ofOne, replacesOwn: true }, nowMs);
  const others = poolOf(limits.all, limits.perSource);
  const trusted = poolOf(limits.trusted, Math.ceil(limits.trusted * trustedPart));
  const presences = new Map<string, Presence>();
  return {
    take: (socket) => {
      const address = socket.remoteAddress ?? '';
      // Gone already.
      if (address === '') return true;
      const isHost = loopback.has(address);
      const pool = isHost || proxies.has(address) ? trusted : others;
      const acceptedAtMs = nowMs();
      const key = keyOf(socket);
      const place = pool.acquire(isHost ? 'this host' : networkOf(address), {
        findIdleSinceMs: () => {
          if (nowMs() - acceptedAtMs < limits.settleMs) return undefined;
          const presence = presences.get(key);
          return presence ? presence.findIdleSinceMs() : acceptedAtMs;
        },
        end: () => {
          const presence = presences.get(key);
          if (!presence) {
            socket.destroy();
            return;
          }
          presence.close();
          setTimeout(() => socket.destroy(), lingerMs).unref();
        },
      });
      if (typeof place !== 'object') return false;
      socket.once('close', () => {
        presences.delete(key);
        place.release();
      });
      return true;
    },
    begin: (socket, presence) => {
      if (socket.remoteAddress !== undefined) presences.set(keyOf(socket), presence);
    },
  };
}

/** The same for a connection and for the TLS on it. */
const keyOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  [remoteAddress, remotePort, localAddress, localPort].join(' ');
