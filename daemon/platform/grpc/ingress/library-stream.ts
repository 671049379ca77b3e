import { constants, type ServerHttp2Stream } from 'node:http2';

import type { ConnectionMeter } from './frame-budget.ts';
import { createMessageSplitter, type SplitterOptions } from './message-splitter.ts';

/**
 * What a chunk takes besides its bytes while it waits to be read: a Buffer and its place in a list.
 */
const chunkBytes = 256;

/** What is pushed for a chunk that has no end of a message. */
const nothing = Buffer.alloc(0);

const heldBytes = new WeakMap<ServerHttp2Stream, () => number>();

/** What a stream holds of its requests. */
export const heldBytesOf = (stream: ServerHttp2Stream): number => heldBytes.get(stream)?.() ?? 0;

/** Counts what is held of a request until its stream is closed. */
export function noteHeldBytes(stream: ServerHttp2Stream, bytes: number): void {
  heldBytes.set(stream, () => bytes);
}

export type StreamGuard = {
  /** Lets the library have the stream; `read` makes it listen. */
  leave(read: () => void): void;
  /** From here on, what comes is counted and goes no further. */
  drop(): void;
};

/**
 * Stands before the gRPC library's own reading of a stream, which keeps each frame of a message as
 * it came, and unpacks all compressed messages of a frame at once. It is handed whole messages;
 * compressed ones one by one, so that the next waits until the last was taken. This must sit where
 * data arrives and not where it is read: chunks wait in a stream that is not read. The end of a
 * request without bytes is held back until there is a reader, which would miss it otherwise.
 */
export function guardStream(
  stream: ServerHttp2Stream,
  meter: ConnectionMeter,
  options: SplitterOptions,
): StreamGuard {
  const push = stream.push.bind(stream);
  const splitter = createMessageSplitter(options);
  let frames = 0;
  let waiting = 0;
  let isDropped = false;
  let isCut = false;
  let isRead = false;
  let isEndKept = false;
  // Not while Node reads the connection: see `closeWithGoaway`.
  const cut = (): void => {
    if (!isCut) setImmediate(() => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
    isCut = true;
  };
  heldBytes.set(stream, () => stream.readableLength + splitter.heldBytes + waiting * chunkBytes);
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null && !isRead) {
      isEndKept = true;
      return false;
    }
    if (!Buffer.isBuffer(chunk)) return push(chunk, encoding);
    frames += 1;
    meter.seeData(chunk.length, frames);
    if (stream.readableLength === 0) waiting = 0;
    const parts = isDropped || isCut ? [] : splitter.add(chunk);
    for (const part of parts) {
      waiting += 1;
      push(part);
    }
    // A stream asks for more only once something was pushed after it asked: also where its reader
    // is slow and nothing is whole yet.
    if (parts.length === 0) push(nothing);
    if (splitter.isFragmented) cut();
    // As if it had been pushed: more may come while there is room.
    return stream.readableLength < stream.readableHighWaterMark;
  };
  const letRead = (read: () => void): void => {
    isRead = true;
    read();
    if (isEndKept) push(null);
  };
  return {
    leave: letRead,
    drop: () => {
      isDropped = true;
      letRead(() => stream.resume());
    },
  };
}
