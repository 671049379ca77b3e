import type { z } from 'zod';

import type { Caller, CallOptions, Method } from '../../platform/grpc/caller/caller.ts';
import type { FieldNames } from './field-names.ts';
import { fault, type Fault, type Found, type ProblemReason } from './problems.ts';

export type ServiceName = 'auth' | 'wallet' | 'statement';

/** An answer, or why there is none. */
export type Answer =
  | {
      readonly ok: true;
      readonly status: number;
      /** Undefined: no body. A text is sent as it is, with the content type of `headers`. */
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
      /** Set, or ended where the value is empty, as the cookie of the session. */
      readonly session?: { readonly token: string; readonly maxAgeSeconds: number };
      /** Instead of a body: bytes or texts as they come. */
      readonly stream?: AsyncIterable<Uint8Array | string>;
    }
  | {
      readonly ok: false;
      readonly fault: Fault;
      /** Besides those of every problem. */
      readonly headers?: Readonly<Record<string, string>>;
    };

/** How a route asks a service: with the credential, source, deadline and id of its request. */
export type ServiceCall = <Req, Res>(
  service: ServiceName,
  method: Method<Req, Res>,
  request: Req,
) => Promise<Found<Res>>;

export type RouteInput<Params, Query, Body> = {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly call: ServiceCall;
  /** The callers themselves, for streams. */
  readonly callers: Readonly<Record<ServiceName, Caller>>;
  /** The options of a call of this request, for streams. */
  readonly callOptions: CallOptions;
  readonly requestId: string;
  /** Aborted once the client has gone, or the gateway stops. */
  readonly signal: AbortSignal;
  readonly isTls: boolean;
};

/** An answer as the OpenAPI document describes it. */
export type DescribedAnswer = {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Besides JSON; without a schema, instead of it. */
  readonly contentTypes?: readonly string[];
  readonly example?: unknown;
  /** On every answer, by name; `optionalHeaders` on some. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly optionalHeaders?: Readonly<Record<string, string>>;
};

type RouteOf<Params, Query, Body> = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `:name` for parameters. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** `none`: anyone may call it. */
  readonly credential: 'none' | 'required';
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  readonly bodyExample?: unknown;
  /** Where 256 KiB are too few. */
  readonly bodyLimitBytes?: number;
  /** Sets the cookie of a session: asked for by pages of this server, and under a known name. */
  readonly startsSession?: true;
  /** Request headers of this route alone, by name. */
  readonly headers?: Readonly<Record<string, { description: string; example?: string }>>;
  /** Takes an `Idempotency-Key`. */
  readonly idempotency?: 'required' | 'optional';
  readonly answers: Readonly<Record<number, DescribedAnswer>>;
  /** Reasons that this route can end with, besides those of every route. */
  readonly problems: readonly ProblemReason[];
  /** Statuses of this route alone, where they differ from those of `statusOf`. */
  readonly problemStatuses?: Readonly<Partial<Record<ProblemReason, number>>>;
  /** What it calls fields of the services, where that differs from `nameField`. */
  readonly fieldNames?: FieldNames;
  readonly run: (input: RouteInput<Params, Query, Body>) => Promise<Answer>;
};

export type Route = RouteOf<unknown, unknown, unknown>;

/** A row of the route table, from which the server and the OpenAPI document are made. */
export const defineRoute = <Params, Query, Body>(route: RouteOf<Params, Query, Body>): Route =>
  route as unknown as Route;

/** Why the signal of a request is aborted where it is not the client that has gone. */
export const cutShort = Symbol('the gateway stops');

/** `cause`, but for a call that was given up because the gateway waits for it no longer. */
export const explainCut = (
  cause: Fault,
  signal: AbortSignal | undefined,
  stopped: Fault = shuttingDown,
): Fault => (cause.reason === 'CANCELLED' && signal?.reason === cutShort ? stopped : cause);

const shuttingDown = fault(
  'SHUTTING_DOWN',
  'the server is stopping: ask again for what has not arrived',
);

export const answer = (status: number, body?: unknown): Answer => ({ ok: true, status, body });
