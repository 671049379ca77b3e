import { randomUUID } from 'node:crypto';

import type { ServerUnaryCall } from '@grpc/grpc-js';

import type { Principal } from '../../access/access.ts';
import { findOrigin, listForwardingHeaders, type Origin } from '../ingress/forwarding.ts';
import { addressOfPeer, loopback } from '../ingress/source.ts';

/** A call before its admission, read by the fast path or by the gRPC library. */
export type Incoming = {
  readonly requestId: string;
  readonly authorization: string | undefined;
  /** Who calls, where that is known without a credential: a service in this process. */
  readonly principal?: Principal;
  /** Address and port of the other end: one connection. */
  readonly peer: string;
  readonly peerAddress: string;
  readonly forwardedFor: readonly string[];
  readonly origin: Origin;
  /** Names of the headers that proxies added. */
  listForwardingHeaders(): readonly string[];
  /** By the monotonic clock (`performance.now()`); Infinity where the caller set none. */
  readonly deadlineMs: number;
  /** True once the caller has gone, or was answered that it is too late. */
  isCancelled(): boolean;
  /**
   * Calls back once the answer has been taken or the caller is gone, at once if that is so already.
   */
  onceOver(listener: () => void): void;
};

type AnyCall = Pick<
  ServerUnaryCall<unknown, unknown>,
  'metadata' | 'cancelled' | 'getDeadline' | 'getPeer' | 'getHost'
> & { once(event: 'cancelled', listener: () => void): unknown };

/** A call that the gRPC library has read. */
export function incomingOf(call: AnyCall): Incoming {
  const deadline = call.getDeadline();
  const peer = call.getPeer();
  const peerAddress = addressOfPeer(peer);
  const headers = call.metadata.toHttp2Headers();
  return {
    requestId: toRequestId(call.metadata.get('x-request-id')[0]?.toString()),
    authorization: call.metadata.get('authorization')[0]?.toString(),
    peer,
    peerAddress,
    forwardedFor: call.metadata.get('x-forwarded-for').map(String),
    origin: findOrigin(loopback.has(peerAddress), headers, call.getHost()),
    listForwardingHeaders: () => listForwardingHeaders(headers),
    deadlineMs: toMonotonic(deadline),
    isCancelled: () => call.cancelled,
    // The library emits this once for every call that is over, cancelled or not.
    onceOver: (listener) => {
      if (call.cancelled) listener();
      else call.once('cancelled', listener);
    },
  };
}

type InnerCall = {
  readonly call?: InnerCall;
  readonly nextCall?: InnerCall;
  readonly stream?: { readonly destroyed: boolean; readonly closed: boolean };
  /** Also where the deadline passed and the status is on its way. */
  readonly cancelled?: boolean;
};

/**
 * True for a call that has ended. The library says once that a call is cancelled, also before it
 * begins the handler: of a request that ends after its deadline the handler would never hear it.
 */
export function isOver(call: object): boolean {
  const inner = call as InnerCall;
  const next = inner.call ?? inner.nextCall;
  if (next) return isOver(next);
  const { stream, cancelled } = inner;
  return cancelled === true || stream?.destroyed === true || stream?.closed === true;
}

/** The library has deadlines by the wall clock, which may step. */
const toMonotonic = (deadline: Date | number): number =>
  performance.now() + (Number(deadline) - Date.now());

/** The caller's own request id where it is harmless to log, otherwise a new one. */
export function toRequestId(given: string | undefined): string {
  return given !== undefined && /^[A-Za-z0-9_-]{8,64}$/.test(given) ? given : randomUUID();
}
