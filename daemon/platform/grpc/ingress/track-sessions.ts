import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

import { presenceOf, type Presence } from './goaway.ts';
import { watchHandle, type SessionHandle } from './session-handles.ts';

/** Watches of the health have no end, and are no calls in flight. */
const healthWatchPath = '/grpc.health.v1.Health/Watch';

/** A call as it was last seen. */
export type StreamState = {
  readonly sinceMs: number;
  readonly isOneRequest: boolean;
  readonly isWatch: boolean;
  unreadBytes: number;
  movedAtMs: number;
  /** At the last look the answer was out, and the request not over. */
  isLeftOpen: boolean;
  /** When it was first seen closed, and not gone yet. */
  closedAtMs: number | undefined;
};

/** A connection as it was last seen. */
export type SessionState = {
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
  /** When its certificate was replaced; undefined again once its streams were asked to end. */
  outdatedAtMs: number | undefined;
};

export type SessionCounts = {
  readonly connections: number;
  /** Calls that are open on them, whatever became of them here. */
  readonly openCalls: number;
};

/** Keeps the state of each session, and of the streams on it. */
export function trackSessions(server: Http2Server, isRequestStream: (path: string) => boolean) {
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

export const countSessions = (states: ReadonlyMap<unknown, SessionState>): SessionCounts => ({
  connections: states.size,
  openCalls: [...states.values()].reduce((sum, { streams }) => sum + streams.size, 0),
});

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
    outdatedAtMs: undefined,
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
  const seen = { ...since, closedAtMs: undefined };
  state.streams.set(stream, seen);
  stream.once('close', () => {
    state.streams.delete(stream);
    state.handle.see(stream);
  });
}
