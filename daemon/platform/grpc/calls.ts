import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  sendUnaryData,
  ServerUnaryCall,
} from '@grpc/grpc-js';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type { Access } from '../access/access.ts';
import { refuseTransient } from '../db/refusals.ts';
import { classifyDbError } from '../db/db.ts';
import { findTransientRejection } from '../transient-rejection.ts';
import type { Log } from '../log.ts';
import type { Admission, CallContext, MethodPolicy } from './admission/admission.ts';
import type { Unread } from './admission/answers.ts';
import { maskUnexpected, toServiceError } from './errors.ts';
import { incomingOf, isOver, type Incoming } from './admission/incoming.ts';
import type { StreamRegistry } from './admission/stream-registry.ts';

export type { CallContext } from './admission/admission.ts';

export type UnaryHandler<Req, Res> = (request: Req, context: CallContext) => Promise<Result<Res>>;
/** A refusal in the middle of a stream is thrown: `createTransientRejection(rejection)`. */
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
  readonly entry: MethodPolicy;
  readonly admission: Admission;
  readonly access: Access;
  readonly log: Log;
  readonly unread: Unread;
  readonly streamRegistry: StreamRegistry;
  readonly encode: (answer: unknown) => Buffer;
};

/** A request as it was read: a message of the method, or why it is none. */
export type Read = Result<unknown>;

export const notOffered = refuse('UNIMPLEMENTED', 'this server does not offer this call yet');

/**
 * One answer per call: policy, limits, deadline, masking of what is unexpected. `read` gives the
 * request once the caller has been admitted. Never rejects.
 */
export type Unary<Answer = Buffer> = (call: Incoming, read: () => Read) => Promise<Result<Answer>>;

/**
 * `finish` makes of the handler's answer what the caller gets; `begin` may refuse before there is
 * one.
 */
export function createUnary<Answer>(
  options: Pick<WrapOptions, 'handler' | 'entry' | 'admission' | 'log'>,
  finish: (answer: unknown, call: Incoming) => Result<Answer>,
  begin: (call: Incoming) => Result<void> = () => succeed(undefined),
): Unary<Answer> {
  const { admission, entry, log } = options;
  const handler = options.handler as UnaryHandler<unknown, unknown> | undefined;
  return async (call, read) => {
    try {
      return await admission.run(call, entry, async (context) => {
        const request = read();
        if (!request.ok) return request;
        const begun = begin(call);
        if (!begun.ok) return begun;
        const result = handler ? await handler(request.value, context) : notOffered;
        return result.ok ? finish(result.value, call) : reportDenial(result, entry, context);
      });
    } catch (err) {
      return explainFailure(err, log, call.requestId);
    }
  };
}

/** The answer as it goes over the wire. */
export const createWireUnary = (options: WrapOptions): Unary => {
  const { encode, unread, entry } = options;
  if (entry.isLargeWrite) {
    const finish = (answer: unknown, call: Incoming): Result<Buffer> => {
      const bytes = encode(answer);
      unread.count(call, bytes.length);
      return succeed(bytes);
    };
    return createUnary(options, finish, unread.checkRoom);
  }
  return createUnary(options, (answer, call) => {
    const bytes = encode(answer);
    const kept = unread.keep(call, bytes.length);
    return kept.ok ? succeed(bytes) : kept;
  });
};

/** The same for a call that the gRPC library reads and answers. */
export function wrapUnary(unary: Unary, log: Log) {
  return (call: ServerUnaryCall<Read, Buffer>, callback: sendUnaryData<Buffer>): void => {
    if (isOver(call)) return;
    const incoming = incomingOf(call);
    const { requestId } = incoming;
    unary(incoming, () => call.request)
      .then((result) => {
        if (result.ok) callback(null, result.value);
        else callback(toServiceError(result.rejection, requestId));
      })
      .catch((err: unknown) => log.error({ err, requestId }, 'the answer was not sent'));
  };
}

/** Records a refusal for want of rights in the audit log. */
export function reportDenial<R extends Extract<Result<unknown>, { ok: false }>>(
  result: R,
  entry: MethodPolicy,
  context: CallContext,
): R {
  if (result.rejection.isDenial) entry.onDenied(context, result.rejection);
  return result;
}

/** An unavailable database is expected now and then; everything else is a defect, and masked. */
export function explainFailure(err: unknown, log: Log, requestId: string): Result<never> {
  const rejection = findTransientRejection(err);
  if (rejection) return { ok: false, rejection };
  if (classifyDbError(err) !== 'transient') {
    return { ok: false, rejection: maskUnexpected(err, log, requestId) };
  }
  log.warn({ err, requestId }, 'the database failed a call');
  return refuseTransient(err);
}
