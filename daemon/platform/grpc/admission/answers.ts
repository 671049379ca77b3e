import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';

import { refuse, succeed, type Rejection, type Result } from '../../../../core/reasons.ts';
import { createWakeUp } from '../../concurrency/wake-up.ts';
import { createTransientRejection } from '../../transient-rejection.ts';
import type { Incoming } from './incoming.ts';
import type { OpenStream } from './stream-slots.ts';

type Answered = Pick<Incoming, 'peer' | 'onceOver' | 'isCancelled'>;

/** What clients have been answered and have not taken yet. */
export type Unread = {
  /**
   * Counts an answer until its client has taken it or is gone. OVERLOADED for a large answer on a
   * connection that leaves too much unread already, where refusing it loses nothing: reads.
   */
  keep(call: Answered, bytes: number): Result<void>;
  /**
   * The same for a large answer about what was committed. It is never refused: `checkRoom` is asked
   * before the call is begun.
   */
  count(call: Answered, bytes: number): void;
  /** OVERLOADED on a connection that leaves too much unread already. */
  checkRoom(call: Answered): Result<void>;
  /** Bytes of all answers that are counted now. */
  readBytes(): number;
};

/** A single transaction is answered with far less, so it is never refused here. */
const smallBytes = 64 * 1024;
const maxUnreadBytes = 16 * 1024 * 1024;

/** Bounds what is held for each connection in large answers that are not read. */
export function createUnread(): Unread {
  const byPeer = new Map<string, number>();
  const hasRoom = ({ peer }: Answered, bytes: number): boolean =>
    (byPeer.get(peer) ?? 0) + bytes <= maxUnreadBytes;
  const count: Unread['count'] = (call, bytes) => {
    // An answer that comes too late is not sent, so it is not counted.
    if (bytes <= smallBytes || call.isCancelled()) return;
    const { peer } = call;
    byPeer.set(peer, (byPeer.get(peer) ?? 0) + bytes);
    call.onceOver(() => {
      const left = (byPeer.get(peer) ?? bytes) - bytes;
      if (left === 0) byPeer.delete(peer);
      else byPeer.set(peer, left);
    });
  };
  return {
    keep: (call, bytes) => {
      if (bytes > smallBytes && !call.isCancelled() && !hasRoom(call, bytes)) return tooMuchUnread;
      count(call, bytes);
      return succeed(undefined);
    },
    count,
    checkRoom: (call) => (hasRoom(call, smallBytes) ? succeed(undefined) : tooMuchUnread),
    readBytes: () => [...byPeer.values()].reduce((sum, bytes) => sum + bytes, 0),
  };
}

const tooMuchUnread = refuse(
  'OVERLOADED',
  'earlier answers on this connection have not been read yet: read them, then ask again',
);

type StreamCall = ServerWritableStream<unknown, Buffer> | ServerDuplexStream<unknown, Buffer>;

export type Sink = {
  /** Resolves once there is room for the next message; rejects if nothing is taken. */
  write(bytes: Buffer): Promise<void>;
};

const bufferBytes = 512 * 1024;
/** A reader that takes nothing for so long does not get the rest. */
const maxStallMs = 60_000;
const { rejection: unread } = refuse('CANCELLED', 'the answers were not read: ask for them again');

/** Writes messages to a stream with backpressure: a bounded number of bytes ahead of its reader. */
export function createSink(call: StreamCall, stream?: OpenStream): Sink {
  let pendingBytes = 0;
  let ended: Rejection | undefined;
  const wakeUp = createWakeUp();
  stream?.onEnd((rejection) => {
    ended = rejection;
    wakeUp.wake();
  });
  for (const event of ['cancelled', 'close', 'error'] as const) call.on(event, wakeUp.wake);

  const waitForRoom = async (): Promise<void> => {
    const hasWoken = await wakeUp.wait(maxStallMs);
    if (ended) throw createTransientRejection(ended);
    if (!hasWoken) throw createTransientRejection(unread);
  };

  return {
    write: async (bytes) => {
      pendingBytes += bytes.length;
      call.write(bytes, () => {
        pendingBytes -= bytes.length;
        wakeUp.wake();
      });
      const isFull = (): boolean => pendingBytes >= bufferBytes && !call.cancelled;
      if (!isFull()) return;
      stream?.beginStall();
      while (isFull()) await waitForRoom();
      stream?.finishStall();
    },
  };
}
