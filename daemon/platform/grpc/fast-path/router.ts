import {
  constants,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';

import type { Rejection } from '../../../../core/reasons.ts';
import type { MethodPolicy } from '../admission/admission.ts';
import {
  answer,
  callerOf,
  costOf,
  isOpen,
  isOrdinary,
  refuseStream,
  type DirectMethod,
  type DirectOptions,
} from './direct.ts';
import { toRefused } from '../errors.ts';
import type { ConnectionMeter, FrameWatch } from '../ingress/frame-budget.ts';
import { toRequestId } from '../admission/incoming.ts';
import { isEnding } from '../ingress/goaway.ts';
import { guardStream } from '../ingress/library-stream.ts';
import { createStreamWindows } from '../ingress/stream-windows.ts';
import { createTokenBucket, type Clock } from '../../concurrency/token-bucket.ts';

/** What is known of a method before a call is read. */
export type Method = {
  readonly entry: MethodPolicy;
  readonly isRequestStream: boolean;
  /** For unary methods. */
  readonly direct: DirectMethod | undefined;
};

type Options = Omit<DirectOptions, 'refusalBucket' | 'windows'> & {
  readonly methods: ReadonlyMap<string, Method>;
  readonly frames: FrameWatch;
  /** What is open on a connection. */
  readonly listStreams: (session: Http2Session) => Iterable<ServerHttp2Stream>;
  /** Whether unary calls are answered without the gRPC library. */
  readonly isFastPathOn: boolean;
};

/**
 * Routes each stream: a unary call is answered straight from HTTP/2 (`direct.ts`), everything else
 * by the gRPC library. The library reads nothing of callers whose credential is not accepted.
 */
export function routeStreams(http2Server: Http2Server, options: Options): void {
  const [library, ...others] = http2Server.listeners('stream');
  if (!library || others.length > 0) throw new Error('the gRPC server does not listen as it did');
  http2Server.removeAllListeners('stream');
  const { methods, frames, isFastPathOn, listStreams } = options;
  const refusalBucket = createTokenBucket(refusalBucketLimits, clock);
  const windows = createStreamWindows(listStreams, clock);
  const shared = { ...options, refusalBucket, windows };
  const onStream = (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    flags: number,
    rawHeaders: readonly string[],
  ): void => {
    if (isEnding(stream.session)) {
      stream.on('error', () => undefined);
      return;
    }
    const meter = frames.of(stream.session);
    meter.seeHeaders(rawHeaders);
    stream.once('close', () => {
      const isReset = stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR;
      if (isReset) meter.seeReset();
    });
    const method = methods.get(headers[':path'] ?? '');
    if (isFastPathOn && method?.direct && isOrdinary(headers)) {
      answer(stream, headers, method.direct, meter, shared);
      return;
    }
    const leave = (): void => {
      if (isOpen(stream)) library.call(http2Server, stream, headers, flags);
    };
    screen(stream, headers, method, meter, { ...options, leave });
  };
  http2Server.on('stream', onStream);
}

/**
 * A refusal costs some 40 µs, nearly all of it Node's HTTP/2: without a bound a flood is refused
 * faster and faster, and nothing else is done. The burst is what 64 connections send before they
 * can keep to fewer streams.
 */
const refusalBucketLimits = { perSecond: 2_000, burst: 6_400, maxWaitMs: 1_000 };
const clock: Clock = {
  nowMs: () => performance.now(),
  wait: (durationMs, onTime) => void setTimeout(onTime, durationMs),
};

/** The cost of a public call that the library answers, as a multiple of a refusal. */
const publicCost = 2;

/** Checks the credential before the library reads anything. */
function screen(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  method: Method | undefined,
  meter: ConnectionMeter,
  { admission, log, limits, ...options }: Options & { readonly leave: () => void },
): void {
  // What goes wrong with a stream is seen by its being closed.
  stream.on('error', () => undefined);
  const guard = guardStream(stream, meter, {
    maxBytes: limits.maxRequestBytes,
    isSingle: !method?.isRequestStream,
    isOneByOne: headers['grpc-encoding'] !== undefined,
  });
  const leave = (): void => guard.leave(options.leave);
  if (!method || method.entry.policy === 'public') {
    meter.delay(leave, publicCost);
    return;
  }
  const refuse = (rejection: Rejection): void => {
    guard.drop();
    const requestId = toRequestId(headers['x-request-id']?.toString());
    const refused = toRefused(rejection, requestId);
    const cost = costOf(headers);
    const act = (): void => meter.delay(() => refuseStream(stream, requestId, refused), cost);
    admission.refuseUnauthenticated(caller, act, cost);
  };
  const caller = callerOf(stream, headers);
  admission
    .findRefusedCredential(method.entry, caller)
    .then((rejection) => (rejection ? refuse(rejection) : leave()))
    .catch((err: unknown) => log.error({ err }, 'a call was not taken on'));
}
