import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';

import { status } from '@grpc/grpc-js';

import type { Rejection } from '../../../../core/reasons.ts';
import type { Log } from '../../log.ts';
import {
  isUnauthenticated,
  type Admission,
  type Caller,
  type MethodPolicy,
} from '../admission/admission.ts';
import type { Read, Unary } from '../calls.ts';
import { toRefused, type Refused } from '../errors.ts';
import { toRequestId, type Incoming } from '../admission/incoming.ts';
import { findOrigin, listForwardingHeaders } from '../ingress/forwarding.ts';
import { noteHeldBytes } from '../ingress/library-stream.ts';
import { headBytes } from '../ingress/message-head.ts';
import { createConstantRefusals } from './constant-refusals.ts';
import { createMessageReader, type MessageFault } from './message.ts';
import type { ConnectionMeter } from '../ingress/frame-budget.ts';
import type { StreamWindows } from '../ingress/stream-windows.ts';
import { addressOfPeer, loopback } from '../ingress/source.ts';

/** A unary method that is answered without the gRPC library. */
export type DirectMethod = {
  readonly entry: MethodPolicy;
  readonly unary: Unary;
  readonly read: (bytes: Buffer) => Read;
};

const timeoutPattern = /^(\d{1,8})([HMSmun])$/;
const timeoutUnitsMs = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000001 } as const;

/**
 * Whether a unary call can be answered straight from HTTP/2. Everything out of the ordinary
 * (compression, calls that are not gRPC) is left to the library, which had it before.
 */
export function isOrdinary(headers: IncomingHttpHeaders): boolean {
  const encoding = headers['grpc-encoding'];
  const timeout = headers['grpc-timeout'];
  return (
    headers[':method'] === 'POST' &&
    (headers['content-type']?.startsWith('application/grpc') ?? false) &&
    (encoding === undefined || encoding === 'identity') &&
    (timeout === undefined || timeoutPattern.test(String(timeout)))
  );
}

function readTimeoutMs(header: string | string[] | undefined): number | undefined {
  const [, count, unit] = timeoutPattern.exec(String(header)) ?? [];
  if (count === undefined) return undefined;
  return Math.trunc(Number(count) * timeoutUnitsMs[unit as keyof typeof timeoutUnitsMs]);
}

export type DirectOptions = {
  readonly admission: Admission;
  readonly log: Log;
  readonly limits: { readonly maxRequestBytes: number; readonly maxResponseBytes: number };
  /** For calls that there is no room for, of all connections. */
  readonly refusalBucket: (act: () => void) => void;
  readonly windows: Pick<StreamWindows, 'seeCall' | 'seeRefusal'>;
};

/**
 * Answers a unary call straight from HTTP/2: half of what such a call cost was the gRPC library,
 * and what is too much must be refused before anything is read.
 */
export function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  method: DirectMethod,
  meter: ConnectionMeter,
  options: DirectOptions,
): void {
  const { admission, log, limits, windows } = options;
  // What goes wrong with a stream is seen by its being closed.
  stream.on('error', () => undefined);
  if (!isOpen(stream)) return;
  const requestId = toRequestId(headers['x-request-id']?.toString());
  const refuse = (rejection: Rejection): void =>
    refuseStream(stream, requestId, toRefused(rejection, requestId));
  const { authorization } = headers;
  const refuseOverload = (rejection: Rejection): void =>
    refuseExcess(stream, authorization, requestId, rejection, options);
  windows.seeCall(stream.session, authorization);
  const excess = admission.overload.find(method.entry, authorization);
  if (excess) {
    // What is still on its way is dropped as it comes: none of it is held while the refusal waits.
    dropData(stream, meter);
    refuseOverload(excess.rejection);
    return;
  }
  const timeoutMs = readTimeoutMs(headers['grpc-timeout']);
  if (timeoutMs !== undefined) {
    const onTime = (): void => refuseStream(stream, requestId, tooLate);
    const timer = setTimeout(onTime, Math.min(timeoutMs, maxTimerMs));
    // Also where the caller is gone: it may have named a time of years.
    stream.once('close', () => clearTimeout(timer));
  }
  const call = createIncoming(stream, headers, requestId, timeoutMs);
  const isPublic = method.entry.policy === 'public';
  const reader = createMessageReader(limits.maxRequestBytes);
  let frames = 0;
  stream.on('data', (chunk: Buffer) => {
    frames += 1;
    meter.seeData(chunk.length, frames);
    const fault = reader.add(chunk);
    if (fault) refuseStream(stream, requestId, explain(fault));
  });
  stream.on('end', () => {
    if (call.isCancelled()) return;
    const message = reader.end();
    if (!Buffer.isBuffer(message)) {
      refuseStream(stream, requestId, explain(message));
      return;
    }
    // It may wait for its turn, and is held meanwhile.
    noteHeldBytes(stream, message.length);
    method
      .unary(call, () => method.read(message))
      .then((result) => {
        if (!result.ok) {
          const act = (): void => refuse(result.rejection);
          if (!isPublic && isUnauthenticated(result.rejection)) {
            const cost = costOf(headers);
            admission.refuseUnauthenticated(call, () => meter.delay(act, cost), cost);
          } else if (result.rejection.reason === 'OVERLOADED') refuseOverload(result.rejection);
          else if (isPublic) meter.delay(act, costOf(headers));
          else act();
        } else if (result.value.length > limits.maxResponseBytes) {
          refuseStream(stream, requestId, tooLarge(result.value.length, limits.maxResponseBytes));
        } else if (isPublic) meter.delay(() => send(stream, result.value));
        else send(stream, result.value);
      })
      .catch((err: unknown) => log.error({ err, requestId }, 'the answer was not sent'));
  });
}

const toConstant = createConstantRefusals();

/** Refuses a call for which there is no room, within a rate for all connections. */
function refuseExcess(
  stream: ServerHttp2Stream,
  authorization: string | undefined,
  requestId: string,
  rejection: Rejection,
  { admission, refusalBucket, windows }: DirectOptions,
): void {
  const excess = admission.overload.findExcess(rejection);
  if (excess) windows.seeRefusal(stream, authorization, excess);
  const encode = excess ? toConstant : toRefused;
  refusalBucket(() => refuseStream(stream, requestId, encode(rejection, requestId)));
}

/** A credential is looked at before it is refused: that takes three times as much. */
export const costOf = ({ authorization }: IncomingHttpHeaders): number =>
  authorization === undefined ? 1 : 3;

/** Takes what still comes, and drops it. */
function dropData(stream: ServerHttp2Stream, meter: ConnectionMeter): void {
  let frames = 0;
  stream.on('data', (chunk: Buffer) => {
    frames += 1;
    meter.seeData(chunk.length, frames);
  });
}

/** What a timer of Node takes. */
const maxTimerMs = 2 ** 31 - 1;

const fault = (code: status, message: string): Omit<Refused, 'details'> => ({ code, message });
const tooLate = fault(status.DEADLINE_EXCEEDED, 'Deadline exceeded');

// The texts of the gRPC library, which clients may know.
const tooLarge = (bytes: number, maxBytes: number) =>
  fault(
    status.RESOURCE_EXHAUSTED,
    `Sent message larger than max (${bytes + headBytes} vs. ${maxBytes})`,
  );

function explain({ kind, bytes, maxBytes }: MessageFault): Omit<Refused, 'details'> {
  switch (kind) {
    case 'too large':
      return fault(
        status.RESOURCE_EXHAUSTED,
        `Received message larger than max (${bytes} vs ${maxBytes})`,
      );
    case 'none':
      return fault(status.UNIMPLEMENTED, 'Received no request message for a unary method');
    case 'fragmented':
      return fault(
        status.RESOURCE_EXHAUSTED,
        `the message came in too many frames of a few bytes (${bytes} bytes so far): send larger ones`,
      );
    case 'several':
      return fault(status.UNIMPLEMENTED, 'Received a second request message for a unary method');
  }
}

type Peer = { readonly peer: string; readonly address: string; readonly isLoopback: boolean };
const peers = new WeakMap<Http2Session, Peer>();

export function findPeer(session: Http2Session | undefined): Peer {
  const known = session && peers.get(session);
  if (known) return known;
  const { remoteAddress, remotePort } = session?.socket ?? {};
  const peer = remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort ?? ''}`;
  const address = addressOfPeer(peer);
  const found = { peer, address, isLoopback: loopback.has(address) };
  if (session) peers.set(session, found);
  return found;
}

/** Who calls, by its connection and what proxies say of it. */
export function callerOf(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Caller {
  const forwardedFor = headers['x-forwarded-for'];
  return {
    authorization: headers.authorization,
    peerAddress: findPeer(stream.session).address,
    forwardedFor: forwardedFor === undefined ? [] : [forwardedFor].flat(),
  };
}

function createIncoming(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  requestId: string,
  timeoutMs: number | undefined,
): Incoming {
  const { peer, isLoopback } = findPeer(stream.session);
  return {
    ...callerOf(stream, headers),
    requestId,
    peer,
    origin: findOrigin(isLoopback, headers, headers[':authority']),
    listForwardingHeaders: () => listForwardingHeaders(headers),
    deadlineMs: timeoutMs === undefined ? Infinity : performance.now() + timeoutMs,
    // Headers that are out already are those of a refusal: it is too late.
    isCancelled: () => stream.closed || stream.destroyed || stream.headersSent,
    onceOver: (listener) => {
      // A stream that has been closed says so no more.
      if (stream.closed || stream.destroyed) listener();
      else stream.once('close', listener);
    },
  };
}

export const isOpen = (stream: ServerHttp2Stream): boolean =>
  !stream.closed && !stream.destroyed && !stream.headersSent;

const contentType = { ':status': 200, 'content-type': 'application/grpc+proto' } as const;
const waitForTrailers = { waitForTrailers: true } as const;

/** Headers, one message, and status 0 after it. */
function send(stream: ServerHttp2Stream, message: Buffer): void {
  if (!isOpen(stream)) return;
  const framed = Buffer.allocUnsafe(message.length + headBytes);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  message.copy(framed, headBytes);
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.respond(contentType, waitForTrailers);
  stream.end(framed);
}

const encoded = { text: '', asUri: '' };

/** Most refusals have the text of the one before. */
function encodeText(text: string): string {
  if (encoded.text !== text) Object.assign(encoded, { text, asUri: encodeURI(text) });
  return encoded.asUri;
}

/** A status and nothing else. What is still on its way is taken and dropped, within its windows. */
export function refuseStream(
  stream: ServerHttp2Stream,
  requestId: string,
  { code, message, details }: Omit<Refused, 'details'> & Partial<Refused>,
): void {
  if (!isOpen(stream)) return;
  stream.respond(
    {
      ...contentType,
      'grpc-status': String(code),
      'grpc-message': encodeText(message),
      'x-request-id': requestId,
      ...(details ? { 'grpc-status-details-bin': details.toString('base64') } : {}),
    },
    { endStream: true },
  );
  // An end that comes late is watched for with all other streams (sessions.ts).
  stream.resume();
}
