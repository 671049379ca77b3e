import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  sendUnaryData,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';

import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import type { Access } from '../access.ts';
import { refuseTransient } from '../db-refusals.ts';
import { classifyDbError } from '../db.ts';
import { createHold, findHeld } from '../hold.ts';
import type { Log } from '../log.ts';
import type { Admission, CallContext, Entry } from './admission.ts';
import { createSink, type Sink, type Unread } from './answers.ts';
import { maskUnexpected, toServiceError } from './errors.ts';
import { authorizationOf, incomingOf, type Incoming } from './incoming.ts';
import { guardStream, type StreamGuard } from './stream-guard.ts';
import type { StreamBoard } from './ingress/stream-board.ts';
import type { OpenStream } from './ingress/stream-slots.ts';

export type { CallContext } from './admission.ts';

export type UnaryHandler<Req, Res> = (request: Req, context: CallContext) => Promise<Result<Res>>;
/** A refusal in the middle of a stream is thrown: `createHold(rejection)`. */
type ServerStreamHandler<Req, Res> = (
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
  readonly entry: Entry;
  readonly admission: Admission;
  readonly access: Access;
  readonly log: Log;
  readonly unread: Unread;
  readonly board: StreamBoard;
  readonly encode: (answer: unknown) => Buffer;
};

/** A request as it was read: a message of the method, or why it is none. */
export type Read = Result<unknown>;

const notOffered = refuse('UNIMPLEMENTED', 'this server does not offer this call yet');

/**
 * One answer per call: policy, limits, deadline, masking of what is unexpected. `read` gives the
 * request once the caller has been let in. Never rejects.
 */
export type Unary = (call: Incoming, read: () => Read) => Promise<Result<Buffer>>;

export function createUnary(options: WrapOptions): Unary {
  const { admission, entry, unread, encode, log } = options;
  const handler = options.handler as UnaryHandler<unknown, unknown> | undefined;
  return async (call, read) => {
    try {
      return await admission.run(call, entry, async (context) => {
        const request = read();
        if (!request.ok) return request;
        const result = handler ? await handler(request.value, context) : notOffered;
        if (!result.ok) return tellDenial(result, entry, context);
        const bytes = encode(result.value);
        const kept = unread.keep(call, bytes.length);
        return kept.ok ? succeed(bytes) : kept;
      });
    } catch (err) {
      return explainFailure(err, log, call.requestId);
    }
  };
}

/** The same for a call that the gRPC library reads and answers. */
export function wrapUnary(unary: Unary, log: Log) {
  return (call: ServerUnaryCall<Read, Buffer>, callback: sendUnaryData<Buffer>): void => {
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

/** Many answers to one request. Pulls the next one once the client has taken the last ones. */
export function wrapServerStream(options: WrapOptions) {
  return (call: ServerWritableStream<Read, Buffer>): void => {
    const handler = options.handler as ServerStreamHandler<unknown, unknown> | undefined;
    runStream(call, options, 'race', (context) => {
      if (!call.request.ok) return Promise.resolve(call.request);
      return handler ? handler(call.request.value, context) : Promise.resolve(notOffered);
    });
  };
}

/** Many answers to many requests; each request is read when the handler asks for it. */
export function wrapBidi(options: WrapOptions) {
  return (call: ServerDuplexStream<Read, Buffer>): void => {
    const handler = options.handler as BidiHandler<unknown, unknown> | undefined;
    // What was begun before a refusal is still answered.
    runStream(call, options, 'raceAnswer', (context, guard) =>
      handler
        ? handler(readChecked(call, options, context, guard), context)
        : Promise.resolve(notOffered),
    );
  };
}

/** The requests of a stream; a credential that has ended meanwhile ends the stream. */
async function* readChecked(
  call: ServerDuplexStream<Read, Buffer>,
  { access, entry }: WrapOptions,
  { stream }: CallContext,
  guard: StreamGuard,
): AsyncIterable<unknown> {
  limitReadAhead(call);
  // Not destroyed with the reading, neither at its end nor when it is left: answers are still due.
  const read: AsyncIterable<Read> = call.iterator({ destroyOnReturn: false });
  const requests = (stream ? endWith(read, stream) : read)[Symbol.asyncIterator]();
  for (;;) {
    const next = (await guard.race(requests.next())) as IteratorResult<Read, undefined>;
    if (next.done) return;
    const request = next.value;
    stream?.beginRequest();
    if (!request.ok) throw createHold(request.rejection);
    const still = await access.authorize(authorizationOf(call), entry.policy);
    if (!still.ok) throw createHold(still.rejection);
    yield request.value;
  }
}

/**
 * grpc-js takes in 16 messages before anybody asks for them, and nothing public changes that: with
 * many streams, large messages and a busy database this is memory that a client can fill.
 */
function limitReadAhead(call: object): void {
  const { _readableState: state } = call as { _readableState?: { highWaterMark: number } };
  if (state) state.highWaterMark = 1;
}

/** The same requests; fails once the stream shall end, though the next one may never come. */
async function* endWith(requests: AsyncIterable<Read>, stream: OpenStream): AsyncGenerator<Read> {
  const iterator = requests[Symbol.asyncIterator]();
  let end: Rejection | undefined;
  let fail: (err: unknown) => void = () => undefined;
  stream.onEnd((rejection) => {
    end = rejection;
    fail(createHold(rejection));
  });
  for (;;) {
    if (end) throw createHold(end);
    const next = await new Promise<IteratorResult<Read>>((resolve, reject) => {
      fail = reject;
      iterator.next().then(resolve, reject);
    });
    if (next.done === true) return;
    yield next.value;
  }
}

type StreamCall = ServerWritableStream<Read, Buffer> | ServerDuplexStream<Read, Buffer>;

function runStream(
  call: StreamCall,
  options: WrapOptions,
  race: 'race' | 'raceAnswer',
  open: (context: CallContext, guard: StreamGuard) => Promise<Result<AsyncIterable<unknown>>>,
): void {
  const incoming = incomingOf(call);
  const { requestId } = incoming;
  const work = async (context: CallContext): Promise<Result<unknown>> => {
    const leave = context.stream && options.board.add(incoming.peer, context.stream);
    const guard = guardStream(options.access, incoming.authorization, options.entry.policy);
    const isCancelled = (): boolean => context.isCancelled() || guard.refusal() !== undefined;
    try {
      const opened = await open({ ...context, isCancelled }, guard);
      if (!opened.ok) return tellDenial(opened, options.entry, context);
      const sink = createSink(call, context.stream);
      await sendAnswers(call, sink, options.encode, opened.value, { guard, race });
      const rejection = guard.refusal();
      return rejection ? { ok: false, rejection } : opened;
    } finally {
      guard.stop();
      leave?.();
    }
  };
  options.admission
    .run(incoming, options.entry, work)
    .catch((err: unknown) => explainFailure(err, options.log, requestId))
    .then((result) => {
      if (call.cancelled) return;
      if (result.ok) call.end();
      else call.emit('error', toServiceError(result.rejection, requestId));
    })
    .catch((err: unknown) => options.log.error({ err, requestId }, 'the stream was not ended'));
}

/** Writes the answers until they end, the caller is gone, or may not have them any more. */
async function sendAnswers(
  call: StreamCall,
  sink: Sink,
  encode: WrapOptions['encode'],
  answers: AsyncIterable<unknown>,
  { guard, race }: { readonly guard: StreamGuard; readonly race: 'race' | 'raceAnswer' },
): Promise<void> {
  const iterator = answers[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await guard[race](iterator.next());
      if (next.done === true || call.cancelled) return;
      await guard[race](sink.write(encode(next.value)));
    }
  } finally {
    const ended = iterator.return?.();
    ended?.catch(() => undefined);
    // Once the caller is refused, it may wait for a client that sends nothing.
    if (!guard.hasEnded()) await ended;
  }
}

function tellDenial<R extends Extract<Result<unknown>, { ok: false }>>(
  result: R,
  entry: Entry,
  context: CallContext,
): R {
  if (result.rejection.isDenial) entry.onDenied(context, result.rejection);
  return result;
}

/** A database that is away is expected now and then; everything else is a defect, and masked. */
function explainFailure(err: unknown, log: Log, requestId: string): Result<never> {
  const rejection = findHeld(err);
  if (rejection) return { ok: false, rejection };
  if (classifyDbError(err) !== 'transient') {
    return { ok: false, rejection: maskUnexpected(err, log, requestId) };
  }
  log.warn({ err, requestId }, 'the database failed a call');
  return refuseTransient(err);
}
