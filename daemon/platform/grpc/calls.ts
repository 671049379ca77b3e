import { randomUUID } from 'node:crypto';

import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  sendUnaryData,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';

import { refuse, type Rejection, type Result } from '../../../core/reasons.ts';
import type { Access, Policy, Principal } from '../access.ts';
import { classifyDbError, isCommitInDoubt } from '../db.ts';
import { createHold, findHeld } from '../hold.ts';
import type { Log } from '../log.ts';
import { maskUnexpected, toServiceError } from './errors.ts';

/** What a handler knows of its call besides the request. */
export type CallContext = {
  readonly requestId: string;
  readonly principal: Principal;
  /** The address that the call came from, without a port. */
  readonly source: string;
  /**
   * The caller's deadline, or ours where it set none; milliseconds since the epoch. Infinity for a
   * stream without one.
   */
  readonly deadlineMs: number;
  /** True once the caller has gone: nothing need be begun for it any more. */
  isCancelled(): boolean;
};

export type UnaryHandler<Req, Res> = (request: Req, context: CallContext) => Promise<Result<Res>>;
/** A refusal in the middle of a stream is thrown: `createHold(rejection)`. */
export type ServerStreamHandler<Req, Res> = (
  request: Req,
  context: CallContext,
) => Promise<Result<AsyncIterable<Res>>>;
export type BidiHandler<Req, Res> = (
  requests: AsyncIterable<Req>,
  context: CallContext,
) => Promise<Result<AsyncIterable<Res>>>;

/** A method of a ts-proto server interface, as a handler of ours. */
type HandlerOf<M> =
  M extends handleUnaryCall<infer Req, infer Res>
    ? UnaryHandler<Req, Res>
    : M extends handleBidiStreamingCall<infer Req, infer Res>
      ? BidiHandler<Req, Res>
      : M extends handleServerStreamingCall<infer Req, infer Res>
        ? ServerStreamHandler<Req, Res>
        : never;

/** The methods of a ts-proto server interface, as handlers of ours. */
export type Handlers<Methods> = {
  [M in keyof Methods as string extends M ? never : M]?: HandlerOf<Methods[M]>;
};

type AnyHandler = (request: never, context: CallContext) => Promise<Result<unknown>>;
export type UntypedHandlers = Readonly<Record<string, AnyHandler | undefined>>;

/** What every method of a service is wrapped with. */
export type WrapOptions = {
  readonly handler: AnyHandler | undefined;
  readonly policy: Policy;
  readonly access: Access;
  readonly log: Log;
  readonly load: { inFlight: number };
  /** Told of each refusal for want of rights. */
  readonly onDenied: (context: CallContext, rejection: Rejection) => void;
};

const maxInFlight = 4_096;
const defaultDeadlineMs = 30_000;
/** A reader that takes nothing for so long does not get the rest. */
const maxStallMs = 60_000;

const tooMuch = refuse('OVERLOADED', 'the server has too much in hand: try again shortly');
const notOffered = refuse('UNIMPLEMENTED', 'this server does not offer this call yet');

type AnyCall = Pick<
  ServerUnaryCall<unknown, unknown>,
  'metadata' | 'cancelled' | 'getDeadline' | 'getPeer'
>;

/** One answer per call: policy, limits, deadline, request id, masking of what is unexpected. */
export function wrapUnary(options: WrapOptions) {
  return (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>): void => {
    const requestId = requestIdOf(call);
    options.load.inFlight += 1;
    answerUnary(call, requestId, options)
      .catch((err: unknown) => explainFailure(err, options.log, requestId))
      .then((result) => {
        if (result.ok) callback(null, result.value);
        else callback(toServiceError(result.rejection, requestId));
      })
      .catch((err: unknown) => options.log.error({ err, requestId }, 'the answer was not sent'))
      .finally(() => (options.load.inFlight -= 1));
  };
}

async function answerUnary(
  call: ServerUnaryCall<unknown, unknown>,
  requestId: string,
  options: WrapOptions,
): Promise<Result<unknown>> {
  const context = await admit(call, requestId, options, Date.now() + defaultDeadlineMs);
  if (!context.ok) return context;
  const handler = options.handler as UnaryHandler<unknown, unknown> | undefined;
  const result = handler ? await handler(call.request, context.value) : notOffered;
  if (!result.ok && result.rejection.isDenial) options.onDenied(context.value, result.rejection);
  return result;
}

/** Many answers to one request. Pulls the next one once the client has taken the last. */
export function wrapServerStream(options: WrapOptions) {
  return (call: ServerWritableStream<unknown, unknown>): void => {
    const handler = options.handler as ServerStreamHandler<unknown, unknown> | undefined;
    runStream(call, options, (context) =>
      handler ? handler(call.request, context) : Promise.resolve(notOffered),
    );
  };
}

/** Many answers to many requests; each request is read when the handler asks for it. */
export function wrapBidi(options: WrapOptions) {
  return (call: ServerDuplexStream<unknown, unknown>): void => {
    const handler = options.handler as BidiHandler<unknown, unknown> | undefined;
    runStream(call, options, (context) =>
      handler ? handler(readChecked(call, options), context) : Promise.resolve(notOffered),
    );
  };
}

/** The requests of a stream; a credential that has ended meanwhile ends the stream. */
async function* readChecked(
  call: ServerDuplexStream<unknown, unknown>,
  { access, policy }: WrapOptions,
): AsyncIterable<unknown> {
  // Not destroyed with the reading, neither at its end nor when it is left: answers are still due.
  const requests = call.iterator({ destroyOnReturn: false }) as AsyncIterable<unknown>;
  for await (const request of requests) {
    const still = await access.authorize(authorizationOf(call), policy);
    if (!still.ok) throw createHold(still.rejection);
    yield request;
  }
}

type StreamCall = ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>;

function runStream(
  call: StreamCall,
  options: WrapOptions,
  open: (context: CallContext) => Promise<Result<AsyncIterable<unknown>>>,
): void {
  const requestId = requestIdOf(call);
  options.load.inFlight += 1;
  const run = async (): Promise<Result<unknown>> => {
    const context = await admit(call, requestId, options, Infinity);
    if (!context.ok) return context;
    const opened = await open(context.value);
    if (!opened.ok) {
      if (opened.rejection.isDenial) options.onDenied(context.value, opened.rejection);
      return opened;
    }
    for await (const message of opened.value) {
      if (call.cancelled) return opened;
      if (!call.write(message)) await waitForDrain(call);
    }
    return opened;
  };
  run()
    .catch((err: unknown) => explainFailure(err, options.log, requestId))
    .then((result) => {
      if (call.cancelled) return;
      if (result.ok) call.end();
      else call.emit('error', toServiceError(result.rejection, requestId));
    })
    .catch((err: unknown) => options.log.error({ err, requestId }, 'the stream was not ended'))
    .finally(() => (options.load.inFlight -= 1));
}

/** Resolves when the client has taken what was written, or is gone; rejects if it takes nothing. */
function waitForDrain(call: StreamCall): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (err?: Error): void => {
      clearTimeout(timer);
      for (const event of events) call.off(event, onEvent);
      if (err) reject(err);
      else resolve();
    };
    const onEvent = (): void => finish();
    const events = ['drain', 'cancelled', 'close', 'error'] as const;
    const timer = setTimeout(() => {
      const { rejection } = refuse('CANCELLED', 'the answers were not read: ask for them again');
      finish(createHold(rejection));
    }, maxStallMs);
    for (const event of events) call.once(event, onEvent);
  });
}

/** The context of a call that may come in. */
async function admit(
  call: AnyCall,
  requestId: string,
  { access, policy, load, onDenied }: WrapOptions,
  latestMs: number,
): Promise<Result<CallContext>> {
  const authorization = authorizationOf(call);
  // Our own services are let in past the cap: without their feed of revocations nobody is.
  const isPeer = authorization?.startsWith('Service ') ?? false;
  if (load.inFlight > maxInFlight && !isPeer) return tooMuch;
  const deadline = call.getDeadline();
  const deadlineMs = deadline instanceof Date ? deadline.getTime() : deadline;
  const contextOf = (principal: Principal): CallContext => ({
    requestId,
    principal,
    source: sourceOf(call.getPeer()),
    deadlineMs: Math.min(deadlineMs, latestMs),
    isCancelled: () => call.cancelled,
  });
  const authorized = await access.authorize(authorization, policy);
  if (authorized.ok) return { ok: true, value: contextOf(authorized.value) };
  if (authorized.rejection.isDenial) {
    const identified = await access.identify(authorization);
    if (identified.ok) onDenied(contextOf(identified.value), authorized.rejection);
  }
  return authorized;
}

const authorizationOf = (call: AnyCall): string | undefined =>
  call.metadata.get('authorization')[0]?.toString();

/** `ipv4:1.2.3.4:567`, `[::1]:567` or `1.2.3.4:567`: the address alone. */
function sourceOf(peer: string): string {
  const match = /^(?:ipv[46]:)?(?:\[([^\]]+)\]|([^:]+)):\d+$/.exec(peer);
  return match?.[1] ?? match?.[2] ?? 'unknown';
}

/** The caller's own request id where it is harmless to log, otherwise a new one. */
function requestIdOf(call: AnyCall): string {
  const given = call.metadata.get('x-request-id')[0]?.toString() ?? '';
  return /^[A-Za-z0-9_-]{8,64}$/.test(given) ? given : randomUUID();
}

/** A database that is away is expected now and then; everything else is a defect, and masked. */
function explainFailure(err: unknown, log: Log, requestId: string): Result<never> {
  const rejection = findHeld(err);
  if (rejection) return { ok: false, rejection };
  if (classifyDbError(err) !== 'transient') {
    return { ok: false, rejection: maskUnexpected(err, log, requestId) };
  }
  log.warn({ err, requestId }, 'the database failed a call');
  return isCommitInDoubt(err)
    ? refuse(
        'OUTCOME_UNKNOWN',
        'the database was lost during the commit: look before you try again',
      )
    : refuse('DATABASE_UNAVAILABLE', 'the database is out of reach: nothing was done, try again');
}
