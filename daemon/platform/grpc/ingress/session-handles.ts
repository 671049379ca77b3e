import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';

/** Node keeps the handle of a session or stream, its C++ part, under a symbol of this name. */
const handleName = 'kHandle';

const held = new Set<object>();
const afterCollection = new FinalizationRegistry<() => void>((act) => act());

/** Acts after a full garbage collection that began later than now. */
function afterFullCollection(act: () => void): void {
  // An object that is new while a collection marks survives it.
  const next = (): void => afterCollection.register({}, act);
  afterCollection.register({}, next);
}

export type SessionHandle = {
  /** A stream is closed. */
  see(stream: ServerHttp2Stream): void;
  /** The session is closed, and with it these streams. */
  close(streams: Iterable<ServerHttp2Stream>): void;
};

/**
 * Keeps the handle of a session that closes for longer than the handles of its streams. Node aborts
 * ("Assertion failed: (current_nghttp2_memory_) == (0)") if one garbage collection finds both, the
 * session first, and the stream still has a part of a header block: of trailers that never ended.
 * A stream whose writes were not done when it was destroyed is left to the garbage collection; all
 * others are freed at once, and their sessions need not be kept.
 *
 * Seen with Node 20.20; `session-handles.int.test.ts` shows it without this.
 */
export function watchHandle(session: ServerHttp2Session): SessionHandle {
  let isNeeded = false;
  let handle = handleOf(session);
  const see = (stream: ServerHttp2Stream): void => {
    if (stream.headersSent && !stream.writableFinished) isNeeded = true;
  };
  return {
    see,
    close: (streams) => {
      for (const stream of streams) see(stream);
      const kept = handle;
      // Node's settings that were never acknowledged keep the session: with its handle, for ever.
      handle = undefined;
      if (!isNeeded || kept === undefined) return;
      held.add(kept);
      afterFullCollection(() => held.delete(kept));
    },
  };
}

function handleOf(session: ServerHttp2Session): object | undefined {
  const symbol = Object.getOwnPropertySymbols(session).find(
    ({ description }) => description === handleName,
  );
  const handle: unknown =
    symbol && (session as unknown as Readonly<Record<symbol, unknown>>)[symbol];
  return typeof handle === 'object' && handle !== null ? handle : undefined;
}
