import type { MethodDefinition } from '@grpc/grpc-js';

import type { Result } from '../../../../core/reasons.ts';
import type { Origin } from '../ingress/forwarding.ts';

/** A method of a service, as the generated definitions have it. */
export type Method<Req, Res> = MethodDefinition<Req, Res>;

export type CallOptions = {
  /** `Bearer …` of the user who asks. Unused by a caller that is one of our own services. */
  readonly authorization?: string;
  /** The address that the user's call came from, without a port. */
  readonly source?: string;
  readonly requestId?: string;
  /** How the user's call came to this process; `remote` by default. Unused by a remote caller. */
  readonly origin?: Origin;
  /** By the monotonic clock (`performance.now()`). */
  readonly deadlineMs?: number;
  /** Gives the call up. */
  readonly signal?: AbortSignal;
};

/**
 * Calls services, in this process or in another: the same policy, limits, audit log and masking of
 * errors. Requests are whole messages: `Request.fromPartial({ … })`.
 */
export type Caller = {
  /** The answer, or why there is none. A service that cannot be reached: OUTCOME_UNKNOWN. */
  call<Req, Res>(
    method: Method<Req, Res>,
    request: Req,
    options?: CallOptions,
  ): Promise<Result<Res>>;
  /**
   * The answers to one request; for a stream of requests, to all of `request`. Read no faster than
   * they are taken. Rejects with an error that
   * `findTransientRejection` reads.
   */
  stream<Req, Res>(
    method: Method<Req, Res>,
    request: Req | AsyncIterable<Req>,
    options?: CallOptions,
  ): AsyncIterable<Res>;
  close(): void;
};
