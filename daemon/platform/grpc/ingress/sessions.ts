import {
  constants,
  type Http2Server,
  type Http2Session,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';

import type { Log } from '../../log.ts';
import type { FloodCause } from './frame-budget.ts';
import { heldBytesOf } from './library-stream.ts';
import { findLargestHolders, type HeldBytes } from './largest-holders.ts';
import { refuseIncomplete } from './incomplete-request.ts';
import {
  sendGoawayToAll,
  closeWithGoaway,
  endOutdated,
  isUnanswered,
  closeIfIdle,
  type Presence,
} from './goaway.ts';
import {
  countSessions,
  trackSessions,
  type SessionCounts,
  type SessionState,
  type StreamState,
} from './track-sessions.ts';

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
  /** Streams of a connection whose certificate was replaced may go on for so long. */
  readonly outdatedMs: number;
  /** What may be held for all connections together: requests in parts, answers unread. */
  readonly heldBytes: number;
};

export const sessionLimits: SessionLimits = {
  greetingMs: 10_000,
  requestMs: 30_000,
  stallMs: 60_000,
  streamStallMs: 10 * 60_000,
  idleMs: 5 * 60_000,
  outdatedMs: 60_000,
  heldBytes: 512 * 1024 * 1024,
};

const checkEveryMs = 1_000;
/** Less than this within `stallMs` are pings and acknowledgements, and no answers. */
const progressBytes = 16 * 1024;
/** About what an open stream takes by itself, and what a request that is not whole may. */
const streamBytes = 16 * 1024;
const requestBytes = 256 * 1024;

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
  /** Streams that are open on a connection. */
  listStreams(session: Http2Session): Iterable<ServerHttp2Stream>;
  /** True while a call has not been answered. */
  isBusy(): boolean;
  /** Cuts a session off, and counts why. */
  end(session: ServerHttp2Session, cause: Cause): void;
  /**
   * Asks clients to leave connections by TLS that are there now: their certificate was replaced.
   * Streams have a minute to end, and are ended then.
   */
  renew(): void;
  readCounts(): SessionCounts;
  stop(): void;
};

/** A last frame may be written for so long; a peer that reads nothing would keep the socket. */
const goawayMs = 2_000;

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
  /** Ends the streams of users on a connection, once what is in flight on them is answered. */
  readonly endStreams: (session: ServerHttp2Session) => void;
}): SessionWatch {
  const { server, limits, log, isRequestStream, endStreams } = options;
  const { states, begin, calledAtMs, close } = trackSessions(server, isRequestStream);
  const cut = new Map<Cause, number>();
  const count = (cause: Cause): void => void cut.set(cause, (cut.get(cause) ?? 0) + 1);
  const end = (session: ServerHttp2Session, cause: Cause): void => {
    const streams = states.get(session)?.streams.keys() ?? [];
    if (closeWithGoaway(session, streams)) count(cause);
  };

  const checkSessions = (): void => {
    const nowMs = performance.now();
    const weights: HeldBytes<SessionState>[] = [];
    for (const state of states.values()) {
      if (destroyLate(state, nowMs)) continue;
      if (!state.isGreeted && nowMs - state.sinceMs > limits.greetingMs) {
        end(state.session, 'no greeting');
        continue;
      }
      endOutdated(state, nowMs, limits.outdatedMs, endStreams);
      closeIfIdle(state, nowMs, limits.idleMs);
      const { heldBytes, unreadBytes } = checkStreams(state, nowMs, limits, count);
      if (isStalled(state, unreadBytes, nowMs, limits.stallMs)) {
        end(state.session, 'answers unread');
        continue;
      }
      weights.push({ state, heldBytes });
    }
    for (const state of findLargestHolders(weights, limits.heldBytes)) {
      end(state.session, 'too much held');
    }
    if (cut.size > 0) log.warn({ cut: Object.fromEntries(cut) }, 'calls or connections were cut');
    cut.clear();
  };
  const timer = setInterval(checkSessions, checkEveryMs);
  timer.unref();
  return {
    begin,
    calledAtMs,
    close,
    listStreams: (session) => states.get(session as ServerHttp2Session)?.streams.keys() ?? [],
    isBusy: () => [...states.values()].some((state) => isUnanswered(state, performance.now())),
    end,
    renew: () => sendGoawayToAll(states.values()),
    readCounts: () => countSessions(states),
    stop: () => clearInterval(timer),
  };
}

/** True for a session that has ended; its socket goes where its peer does not let it close. */
function destroyLate(state: SessionState, nowMs: number): boolean {
  if (!state.session.destroyed) return false;
  state.endedAtMs ??= nowMs;
  if (nowMs - state.endedAtMs > goawayMs) state.socket?.destroy();
  return true;
}

/** A stream that is closed may have something to write for so long. */
const closedMs = 3_000;

/**
 * A client that resets its calls with NO_ERROR and leaves can make Node wait for writes that never
 * end. Then it keeps the stream and its session, and no longer reads that the connection is gone.
 */
function destroyClosed(stream: ServerHttp2Stream, seen: StreamState, nowMs: number): void {
  if (!stream.closed || stream.destroyed) return;
  seen.closedAtMs ??= nowMs;
  if (nowMs - seen.closedAtMs > closedMs) stream.destroy();
}

/** Ends the streams that only cost, and adds up what the others make us hold. */
function checkStreams(
  state: SessionState,
  nowMs: number,
  limits: SessionLimits,
  count: (cause: Cause) => void,
): { heldBytes: number; unreadBytes: number } {
  let heldBytes = 0;
  let unreadBytes = 0;
  for (const [stream, seen] of state.streams) {
    destroyClosed(stream, seen, nowMs);
    const isWhole = stream.readableEnded;
    if (stream.writableLength !== seen.unreadBytes || stream.writableLength === 0) {
      seen.movedAtMs = nowMs;
      seen.unreadBytes = stream.writableLength;
    }
    if (seen.isOneRequest && !isWhole && nowMs - seen.sinceMs > limits.requestMs) {
      count('request incomplete');
      refuseIncomplete(stream);
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
