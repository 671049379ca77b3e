import {
  status,
  type Server,
  type ServiceDefinition,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { HealthImplementation } from 'grpc-health-check';

import { networkOf } from '../../../core/networks.ts';
import { findSource, type AddressSet } from './ingress/source.ts';
import { incomingOf, isOver } from './admission/incoming.ts';
import { createFairPool } from '../concurrency/fair-pool.ts';

type WatchLimits = {
  /** Open watches of all callers. */
  readonly healthWatches: number;
  /** Open watches of one network. */
  readonly healthWatchesOfSource: number;
};

const sweepEveryMs = 10_000;

type Watch = (call: ServerWritableStream<unknown, unknown>) => void;

/**
 * Adds the health service, whose watches need no credential and have no end: there are so many of
 * them, and fewer of one network. When there are as many as there may be, the oldest of the network
 * that has most is ended for a network that has fewer. `size`: how many there are, or names of
 * services that are remembered for them.
 */
export function addHealthService(
  server: Server,
  health: HealthImplementation,
  limits: WatchLimits,
  proxies: AddressSet,
): { size(): number; end(): void } {
  const nowMs = (): number => performance.now();
  const { healthWatches: all, healthWatchesOfSource: ofOne } = limits;
  const pool = createFairPool({ all, ofOne: () => ofOne, replacesOwn: true }, nowMs);
  const open = new Set<ServerWritableStream<unknown, unknown>>();
  let isStopping = false;
  let sweptAtMs = nowMs();
  // A call can end without the library's word of it: nothing else would give its place back.
  const sweep = (): void => {
    sweptAtMs = nowMs();
    for (const call of open) if (isOver(call)) call.emit('cancelled', 'cancelled');
  };
  const bound =
    (watch: Watch): Watch =>
    (call) => {
      if (isOver(call)) return;
      if (nowMs() - sweptAtMs > sweepEveryMs) sweep();
      const { peerAddress, forwardedFor } = incomingOf(call);
      const network = networkOf(findSource(peerAddress, forwardedFor, proxies));
      const sinceMs = nowMs();
      const place = pool.acquire(network, {
        findIdleSinceMs: () => sinceMs,
        end: () => end(call, tooMany),
      });
      if (typeof place !== 'object') {
        end(call, tooMany);
        return;
      }
      open.add(call);
      // The library emits this for every call that is over.
      call.once('cancelled', () => {
        open.delete(call);
        place.release();
      });
      watch(call);
      // After the library's own listener, which keeps a set for each name that was ever asked for.
      call.once('cancelled', () => forgetUnwatched(health));
      if (isStopping) end(call, stopping);
    };
  // It asks for a server, and only adds its service to it.
  const adder = {
    addService: (definition: ServiceDefinition, implementation: UntypedServiceImplementation) => {
      const { watch, ...others } = implementation;
      if (!watch) throw new Error('the health service has no watch');
      server.addService(definition, { ...others, watch: bound(watch as Watch) });
    },
  };
  health.addToServer(adder);
  return {
    size: () => {
      sweep();
      return Math.max(pool.size(), watchersOf(health).size);
    },
    /** Ends all watches, those that are still opened too: the server stops. */
    end: () => {
      isStopping = true;
      for (const call of open) end(call, stopping);
    },
  };
}

/** The library declares no type for it. */
const watchersOf = (health: HealthImplementation): Map<string, ReadonlySet<unknown>> =>
  health['watchers'] as Map<string, ReadonlySet<unknown>>;

function forgetUnwatched(health: HealthImplementation): void {
  const watchers = watchersOf(health);
  for (const [name, ofName] of watchers) if (ofName.size === 0) watchers.delete(name);
}

const tooMany = {
  code: status.RESOURCE_EXHAUSTED,
  details: 'too many watches are open: ask by Check, or watch again later',
};
const stopping = { code: status.UNAVAILABLE, details: 'the server is stopping' };

const end = (call: ServerWritableStream<unknown, unknown>, why: object): void =>
  void call.emit('error', why);
