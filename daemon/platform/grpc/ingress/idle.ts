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
  /** When the client was asked to leave. */
  leavingAtMs: number | undefined;
  /** When its certificate was replaced; undefined again once its streams were asked to end. */
  outdatedAtMs: number | undefined;
};

/** Longer than a round trip: what the client sent before it was asked to leave has arrived. */
const leaveMs = 5_000;
const lastStreamId = 2 ** 31 - 1;
/** Part of a request that is younger than this is on its way; an older one may be left so on purpose. */
const partialMs = 1_000;

/**
 * A GOAWAY on connections by TLS: the client begins its next call on another one, and what is open goes on
 * here.
 */
export function askAllToLeave(states: Iterable<Session & { readonly socket: object | undefined }>) {
  const nowMs = performance.now();
  for (const state of states) {
    if (!state.socket || !('encrypted' in state.socket)) continue;
    state.outdatedAtMs = nowMs;
    if (state.leavingAtMs !== undefined) continue;
    state.leavingAtMs = nowMs;
    state.session.goaway(constants.NGHTTP2_NO_ERROR, lastStreamId);
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

/**
 * Closes a connection without a stream for `idleMs`, in two steps, so that no call is lost: a GOAWAY
 * that asks the client to begin nothing more on it, and the end once nothing is open.
 */
export function leaveIfIdle(state: Session, nowMs: number, idleMs: number): void {
  if (state.streams.size > 0) {
    state.activeAtMs = nowMs;
    return;
  }
  if (state.leavingAtMs === undefined) {
    if (nowMs - state.activeAtMs < idleMs) return;
    state.leavingAtMs = nowMs;
    state.session.goaway(constants.NGHTTP2_NO_ERROR, lastStreamId);
  } else if (nowMs - Math.max(state.leavingAtMs, state.activeAtMs) >= leaveMs) {
    state.session.close();
  }
}

/** Node takes the code where an error may stand: beside `undefined` it would send NO_ERROR. */
export const calmDown = (session: ServerHttp2Session): void =>
  session.destroy(constants.NGHTTP2_ENHANCE_YOUR_CALM as unknown as Error);

/**
 * A watch of the health, and a request that never becomes whole, are no calls in flight: anybody can
 * have those without a credential.
 */
export const presenceOf = (state: Session): Presence => ({
  findIdleSinceMs: () => {
    const nowMs = performance.now();
    for (const [stream, { isOneRequest, isWatch, sinceMs }] of state.streams) {
      const isPartial = isOneRequest && !stream.readableEnded && nowMs - sinceMs > partialMs;
      if (!isWatch && !isPartial) return undefined;
    }
    return state.activeAtMs;
  },
  close: () => {
    if (state.streams.size === 0) state.session.close();
    else calmDown(state.session);
  },
});
