import {
  constants,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';

import type { Log } from '../log.ts';
import type { FloodCause } from './frame-budget.ts';
import { heldBytesOf } from './library-stream.ts';
import { findGreediest, type Weight } from './ingress/greediest.ts';
import { healthWatchPath } from './ingress/health-watch.ts';
import { refuseLate } from './ingress/refuse-late.ts';
import { watchHandle, type SessionHandle } from './ingress/session-handles.ts';
import { isUnanswered, leaveIfIdle, presenceOf, type Presence } from './ingress/idle.ts';

export type SessionLimits = {
  /** From the connection to its SETTINGS, and to its acknowledgement of ours. */
  readonly greetingMs: number;
  /** From the headers of a call to its whole request, where that is one message. */
  readonly requestMs: number;
  /** How long answers may lie unread while the connection takes next to nothing. */
  readonly stallMs: number;
  /** How long one stream may take nothing at all, whatever the others on its connection do. */
  readonly streamStallMs: number;
  /** A connection without any stream is closed after so long; pings do not count. */
  readonly idleMs: number;
  /** What may be held for all connections together: requests in parts, answers unread. */
  readonly heldBytes: number;
};

export const sessionLimits: SessionLimits = {
  greetingMs: 10_000,
  requestMs: 30_000,
  stallMs: 60_000,
  streamStallMs: 10 * 60_000,
  idleMs: 5 * 60_000,
  heldBytes: 512 * 1024 * 1024,
};

const lookEveryMs = 1_000;
/** Less than this within `stallMs` are pings and acknowledgements, and no answers. */
const progressBytes = 16 * 1024;
/** About what an open stream takes by itself, and what a request that is not whole may. */
const streamBytes = 16 * 1024;
const requestBytes = 256 * 1024;

type StreamState = {
  readonly sinceMs: number;
  readonly isOneRequest: boolean;
  readonly isWatch: boolean;
  unreadBytes: number;
  movedAtMs: number;
  /** At the last look the answer was out, and the request not over. */
  isLeftOpen: boolean;
};

type SessionState = {
  readonly session: ServerHttp2Session;
  socket: Socket | undefined;
  readonly sinceMs: number;
  readonly streams: Map<ServerHttp2Stream, StreamState>;
  readonly handle: SessionHandle;
  isGreeted: boolean;
  movedAtMs: number;
  bytesWritten: number;
  activeAtMs: number;
  /** When the session was first seen at its end, its socket not being closed yet. */
  endedAtMs: number | undefined;
};

export type SessionWatch = {
  /** Opens a session on this connection, by `inject`. */
  begin(socket: Socket, inject: () => void): Presence | undefined;
  /** When a call last came, by the monotonic clock; watches of the health do not count. */
  calledAtMs(): number;
  /**
   * Takes no more calls: each client learns which was the last, also those that still connect.
   * Connections are closed once what was taken is answered.
   */
  close(): void;
  /** True while a call has not been answered. */
  isBusy(): boolean;
  /** Cuts a session off, and counts why. */
  end(session: ServerHttp2Session, cause: Cause): void;
  stop(): void;
};

/** A last frame may be written for so long; a peer that reads nothing would keep the socket. */
const lastWordsMs = 2_000;

type Cause =
  | 'no greeting'
  | 'answers unread'
  | 'too much held'
  | 'request incomplete'
  | 'left open'
  | FloodCause;

/**
 * Watches the HTTP/2 sessions of a server, and ends what only costs: connections that do not greet
 * or do not read, requests that never become whole, streams left open after their answer. Under
 * pressure those that make us hold most go first.
 */
export function watchSessions(options: {
  readonly server: Http2Server;
  readonly limits: SessionLimits;
  readonly log: Log;
  /** Whether the method at this path takes a stream of requests. */
  readonly isRequestStream: (path: string) => boolean;
}): SessionWatch {
  const { server, limits, log, isRequestStream } = options;
  const { states, begin, calledAtMs, close } = trackSessions(server, isRequestStream);
  const cut = new Map<Cause, number>();
  const count = (cause: Cause): void => void cut.set(cause, (cut.get(cause) ?? 0) + 1);
  const end = (session: ServerHttp2Session, cause: Cause): void => {
    count(cause);
    // Node takes the code where an error may stand: beside `undefined` it would send NO_ERROR.
    session.destroy(constants.NGHTTP2_ENHANCE_YOUR_CALM as unknown as Error);
  };

  const look = (): void => {
    const nowMs = performance.now();
    const weights: Weight<SessionState>[] = [];
    for (const state of states.values()) {
      if (state.session.destroyed) {
        state.endedAtMs ??= nowMs;
        if (nowMs - state.endedAtMs > lastWordsMs) state.socket?.destroy();
        continue;
      }
      if (!state.isGreeted && nowMs - state.sinceMs > limits.greetingMs) {
        end(state.session, 'no greeting');
        continue;
      }
      leaveIfIdle(state, nowMs, limits.idleMs);
      const { heldBytes, unreadBytes } = lookAtStreams(state, nowMs, limits, count);
      if (isStalled(state, unreadBytes, nowMs, limits.stallMs)) {
        end(state.session, 'answers unread');
        continue;
      }
      weights.push({ state, heldBytes });
    }
    for (const state of findGreediest(weights, limits.heldBytes)) {
      end(state.session, 'too much held');
    }
    if (cut.size > 0) log.warn({ cut: Object.fromEntries(cut) }, 'calls or connections were cut');
    cut.clear();
  };
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return {
    begin,
    calledAtMs,
    close,
    isBusy: () => [...states.values()].some((state) => isUnanswered(state, performance.now())),
    end,
    stop: () => clearInterval(timer),
  };
}

/** Keeps the state of each session, and of the streams on it. */
function trackSessions(server: Http2Server, isRequestStream: (path: string) => boolean) {
  const states = new Map<ServerHttp2Session, SessionState>();
  let isClosing = false;
  let calledAtMs = -Infinity;

  const arrival: { socket?: Socket | undefined; state?: SessionState | undefined } = {};
  server.on('session', (session) => {
    const state = openState(session, arrival.socket);
    states.set(session, state);
    if (isClosing) session.close();
    arrival.state = state;
    session.once('close', () => {
      states.delete(session);
      state.handle.close(state.streams.keys());
      // Where our settings are never acknowledged, Node keeps the listeners for as long as it keeps
      // its handle; and a socket keeps, by the error that ended it, the handle. Never both.
      state.socket = undefined;
    });
  });
  server.on('stream', (stream, headers) => {
    const state = stream.session && states.get(stream.session as ServerHttp2Session);
    const path = headers[':path'] ?? '';
    const isWatch = path === healthWatchPath;
    if (!isWatch) calledAtMs = performance.now();
    if (state) addStream(state, stream, !isRequestStream(path), isWatch);
  });

  return {
    states,
    begin: (socket: Socket, inject: () => void): Presence | undefined => {
      // The session is announced before `inject` returns.
      Object.assign(arrival, { socket, state: undefined });
      inject();
      arrival.socket = undefined;
      return arrival.state && presenceOf(arrival.state);
    },
    calledAtMs: () => calledAtMs,
    close: (): void => {
      isClosing = true;
      for (const { session } of states.values()) session.close();
    },
  };
}

function openState(session: ServerHttp2Session, socket: Socket | undefined): SessionState {
  const nowMs = performance.now();
  const state: SessionState = {
    session,
    socket,
    sinceMs: nowMs,
    streams: new Map(),
    handle: watchHandle(session),
    isGreeted: false,
    movedAtMs: nowMs,
    bytesWritten: 0,
    activeAtMs: nowMs,
    endedAtMs: undefined,
  };
  // Our own settings, the bound on headers among them, are in force once they are acknowledged.
  session.once('remoteSettings', () => {
    session.once('localSettings', () => (state.isGreeted = true));
  });
  return state;
}

function addStream(
  state: SessionState,
  stream: ServerHttp2Stream,
  isOneRequest: boolean,
  isWatch: boolean,
): void {
  const nowMs = performance.now();
  state.activeAtMs = nowMs;
  const isLeftOpen = false;
  const request = { isOneRequest, isWatch, isLeftOpen };
  const since = { sinceMs: nowMs, ...request, unreadBytes: 0, movedAtMs: nowMs };
  state.streams.set(stream, since);
  stream.once('close', () => {
    state.streams.delete(stream);
    state.handle.see(stream);
  });
}

/** Ends the streams that only cost, and adds up what the others make us hold. */
function lookAtStreams(
  state: SessionState,
  nowMs: number,
  limits: SessionLimits,
  count: (cause: Cause) => void,
): { heldBytes: number; unreadBytes: number } {
  let heldBytes = 0;
  let unreadBytes = 0;
  for (const [stream, seen] of state.streams) {
    const isWhole = stream.readableEnded;
    if (stream.writableLength !== seen.unreadBytes || stream.writableLength === 0) {
      seen.movedAtMs = nowMs;
      seen.unreadBytes = stream.writableLength;
    }
    if (seen.isOneRequest && !isWhole && nowMs - seen.sinceMs > limits.requestMs) {
      count('request incomplete');
      refuseLate(stream);
    } else if (seen.isLeftOpen) {
      count('left open');
      stream.close(constants.NGHTTP2_NO_ERROR);
    } else if (nowMs - seen.movedAtMs > limits.streamStallMs) {
      count('answers unread');
      stream.close(constants.NGHTTP2_CANCEL);
    }
    seen.isLeftOpen = !isWhole && stream.writableFinished;
    const isPartial = seen.isOneRequest && !isWhole;
    const requested = isPartial ? requestBytes : heldBytesOf(stream);
    heldBytes += streamBytes + seen.unreadBytes + requested;
    unreadBytes += seen.unreadBytes;
  }
  return { heldBytes, unreadBytes };
}

function isStalled(
  state: SessionState,
  unreadBytes: number,
  nowMs: number,
  stallMs: number,
): boolean {
  const { bytesWritten } = state.session.socket;
  if (unreadBytes === 0 || bytesWritten - state.bytesWritten >= progressBytes) {
    state.movedAtMs = nowMs;
    state.bytesWritten = bytesWritten;
  }
  return nowMs - state.movedAtMs > stallMs;
}
