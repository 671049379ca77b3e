import type { Http2Session, ServerHttp2Stream } from 'node:http2';

import type { Clock } from '../../concurrency/token-bucket.ts';

/** Whose calls in flight are too many: those of all users, or of one. */
export type Excess = 'all' | 'user';

/** How many streams clients may have open, while calls of theirs are refused for overload. */
export type StreamWindows = {
  /** A call has come on this connection, with this credential. */
  seeCall(session: Http2Session | undefined, authorization: string | undefined): void;
  /** There is no room for this call. */
  seeRefusal(
    stream: Pick<ServerHttp2Stream, 'session'>,
    authorization: string | undefined,
    excess: Excess,
  ): void;
};

type Window = {
  readonly authorization: string | undefined;
  /** Calls of several callers come on it: one of them must not slow the others down. */
  isShared: boolean;
  /** Streams that the client was last asked to keep to. */
  limit: number;
  /** The client has not acknowledged that. */
  isPending: boolean;
  refusals: number;
  refusalsBefore: number;
  calmMs: number;
  /** How many streams it gets next. */
  step: number;
};

/** Streams of a connection at any time. */
export const maxStreams = 100;
/** Never fewer: a caller that is refused for what others do is still served. */
const minStreams = 4;
const lookEveryMs = 25;
/** After so long without a refusal a client gets one stream more, and then twice as many each. */
const calmMs = 500;
const stepMs = 100;

/**
 * Adaptive stream limit of each connection. A client whose calls are still refused once it could
 * have seen the first refusal is asked, by SETTINGS, for no more streams than were accepted: its
 * other calls wait within it, and cost nothing here. What it had sent by then gets REFUSED_STREAM
 * from nghttp2; a client that acknowledges the number and does not keep to it loses its connection.
 */
export function createStreamWindows(
  listStreams: (session: Http2Session) => Iterable<object>,
  { nowMs, wait }: Clock,
): StreamWindows {
  const windows = new Map<Http2Session, Window>();
  const refused = new WeakSet();
  const countAccepted = (session: Http2Session): number => {
    let count = 0;
    for (const stream of listStreams(session)) if (!refused.has(stream)) count += 1;
    return count;
  };
  let lookedAtMs = 0;
  const look = (): void => {
    const now = nowMs();
    for (const [session, window] of windows) {
      const isOver = session.closed || session.destroyed;
      if (isOver || !adapt(window, now - lookedAtMs, session, countAccepted)) {
        windows.delete(session);
      }
    }
    lookedAtMs = now;
    if (windows.size > 0) wait(lookEveryMs, look);
  };
  const open = (session: Http2Session, authorization: string | undefined): Window => {
    const window = { authorization, limit: maxStreams, ...untouched };
    if (windows.size === 0) {
      lookedAtMs = nowMs();
      wait(lookEveryMs, look);
    }
    windows.set(session, window);
    return window;
  };
  return {
    seeCall: (session, authorization) => {
      if (windows.size === 0) return;
      const window = session && windows.get(session);
      if (window && window.authorization !== authorization) window.isShared = true;
    },
    seeRefusal: (stream, authorization, excess) => {
      const { session } = stream;
      if (!session) return;
      refused.add(stream);
      const window = windows.get(session) ?? open(session, authorization);
      if (excess === 'all' || !window.isShared) window.refusals += 1;
    },
  };
}

const untouched = {
  isShared: false,
  isPending: false,
  refusals: 0,
  refusalsBefore: 0,
  calmMs: 0,
  step: 1,
};

/** False once the client may have as many streams as ever, and is not refused any more. */
function adapt(
  window: Window,
  passedMs: number,
  session: Http2Session,
  countAccepted: (session: Http2Session) => number,
): boolean {
  const { limit, refusals, refusalsBefore } = window;
  window.refusals = 0;
  window.refusalsBefore = refusals;
  if (refusals > 0) {
    window.calmMs = 0;
    window.step = 1;
    const goesOn = refusalsBefore > 0 || limit < maxStreams;
    const lower = Math.max(minStreams, Math.min(countAccepted(session), limit - 1));
    if (goesOn && lower < limit) ask(window, session, lower);
    return true;
  }
  window.calmMs += passedMs;
  if (window.calmMs < calmMs) return true;
  if (limit >= maxStreams) return window.isPending;
  if (ask(window, session, Math.min(maxStreams, limit + window.step))) {
    window.calmMs = calmMs - stepMs;
    window.step *= 2;
  }
  return true;
}

/** False while the client has not acknowledged what it was asked before. */
function ask(window: Window, session: Http2Session, limit: number): boolean {
  if (window.isPending) return false;
  window.isPending = true;
  window.limit = limit;
  session.settings({ maxConcurrentStreams: limit }, () => (window.isPending = false));
  return true;
}
