import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';

/** What a connection does, once HTTP/2 has begun on it. */
export type Presence = {
  /** Since when no call is in flight on it; undefined while one is. */
  findIdleSinceMs(): number | undefined;
  /** Closes it, with a last frame for the client. */
  close(): void;
};

type Session = {
  readonly session: ServerHttp2Session;
  readonly streams: ReadonlyMap<
    ServerHttp2Stream,
    { readonly sinceMs: number; readonly isOneRequest: boolean; readonly isWatch: boolean }
  >;
  /** When it last had a stream, to the second. */
  activeAtMs: number;
  /** When its certificate was replaced; undefined again once its streams were asked to end. */
  outdatedAtMs: number | undefined;
};

/**
 * Part of a request that is younger than this is on its way; an older one may be left so on
 * purpose.
 */
const partialMs = 1_000;

/** True while a call has not been answered. */
export const isUnanswered = (state: Session, nowMs: number): boolean =>
  hasCall(state, nowMs, (stream) => !stream.writableFinished);

/**
 * True while a call of this kind is in flight. A watch of the health, and a request that does not
 * become whole, are no calls in flight: they need no credential.
 */
function hasCall(
  { streams }: Session,
  nowMs: number,
  isMeant: (stream: ServerHttp2Stream) => boolean,
): boolean {
  for (const [stream, { isOneRequest, isWatch, sinceMs }] of streams) {
    const isPartial = isOneRequest && !stream.readableEnded && nowMs - sinceMs > partialMs;
    if (!isWatch && !isPartial && isMeant(stream)) return true;
  }
  return false;
}

const ending = new WeakSet<object>();

/** True once a connection is about to be ended: what still comes on it is not worth any work. */
export const isEnding = (session: object | undefined): boolean =>
  session !== undefined && ending.has(session);

/**
 * Ends a connection with a GOAWAY of ENHANCE_YOUR_CALM. Where it has an answer to send, not at
 * once: events of a stream are raised while Node reads the connection, and to send such an answer
 * within them never ends (https://github.com/nodejs/node/issues/52952). False where it is ending
 * already.
 */
export function closeWithGoaway(
  session: ServerHttp2Session,
  streams: Iterable<ServerHttp2Stream>,
): boolean {
  if (session.destroyed || ending.has(session)) return false;
  ending.add(session);
  // The code stands where an error may: beside `undefined`, Node would send NO_ERROR.
  const code = constants.NGHTTP2_ENHANCE_YOUR_CALM as unknown as Error;
  if ([...streams].some(({ headersSent }) => headersSent)) {
    setImmediate(() => session.destroy(code));
  } else {
    session.destroy(code);
  }
  return true;
}

/**
 * Closes a connection without a stream for `idleMs`, with a GOAWAY that names the last call that
 * was taken: a call that crosses it on the wire was certainly not begun, and clients repeat it
 * elsewhere. (A GOAWAY that excludes nothing would lose such a call: nghttp2 takes none after it.)
 */
export function closeIfIdle(state: Session, nowMs: number, idleMs: number): void {
  if (state.streams.size > 0) state.activeAtMs = nowMs;
  else if (nowMs - state.activeAtMs >= idleMs) state.session.close();
}

/**
 * Ends connections by TLS as `leaveIfIdle` does: the client begins its next call on another one,
 * and what was taken goes on here.
 */
export function sendGoawayToAll(
  states: Iterable<Session & { readonly socket: object | undefined }>,
) {
  const nowMs = performance.now();
  for (const state of states) {
    if (!state.socket || !('encrypted' in state.socket)) continue;
    state.outdatedAtMs = nowMs;
    state.session.close();
  }
}

/** Ends what is still open on a connection that its client was asked to leave long ago. */
export function endOutdated(
  state: Session,
  nowMs: number,
  outdatedMs: number,
  endStreams: (session: ServerHttp2Session) => void,
): void {
  if (state.outdatedAtMs === undefined || nowMs - state.outdatedAtMs < outdatedMs) return;
  state.outdatedAtMs = undefined;
  endStreams(state.session);
  for (const [stream, { isWatch }] of state.streams) {
    if (isWatch) stream.close(constants.NGHTTP2_REFUSED_STREAM);
  }
}

export const presenceOf = (state: Session): Presence => ({
  findIdleSinceMs: () =>
    hasCall(state, performance.now(), () => true) ? undefined : state.activeAtMs,
  close: () => {
    if (state.streams.size === 0) state.session.close();
    else closeWithGoaway(state.session, state.streams.keys());
  },
});
