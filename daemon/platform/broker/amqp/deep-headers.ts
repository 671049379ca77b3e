import type { ChannelModel } from 'amqplib';

/** What amqplib reads frames with; not part of its documented interface, so it may be missing. */
type FrameReader = { rest?: Buffer; recvFrame?: () => unknown };

const headerFrame = 2;
const frameHeadBytes = 7;
/** Class, weight and size of the body; the flags of the properties follow. */
const beforeFlags = frameHeadBytes + 12;
const flags = { contentType: 0x8000, contentEncoding: 0x4000, headers: 0x2000 } as const;

/**
 * Reads messages whose table of headers is nested so deeply that it cannot be decoded as if they
 * had no headers. amqplib decodes a table recursively, and gives the connection up where that
 * fails: the message would come again with each new one, and no other after it.
 */
export function readDeepHeaders(model: ChannelModel): void {
  const reader = model.connection as unknown as FrameReader;
  const { recvFrame } = reader;
  if (!recvFrame) return;
  reader.recvFrame = () => {
    const before = reader.rest;
    try {
      return recvFrame.call(reader);
    } catch (err) {
      const without = err instanceof RangeError && before ? cutHeaders(before) : undefined;
      if (!without) throw err;
      reader.rest = without;
      return recvFrame.call(reader);
    }
  };
}

/**
 * Frames that begin with a content header (AMQP 0-9-1, 4.2.6.1), which loses its table of headers.
 */
function cutHeaders(frames: Buffer): Buffer | undefined {
  if (frames[0] !== headerFrame || frames.length < beforeFlags + 2) return undefined;
  const size = frames.readUInt32BE(3);
  if (frames.length < frameHeadBytes + size + 1) return undefined;
  const set = frames.readUInt16BE(beforeFlags);
  if ((set & flags.headers) === 0) return undefined;
  let start = beforeFlags + 2;
  for (const text of [flags.contentType, flags.contentEncoding]) {
    if ((set & text) !== 0) start += 1 + (frames[start] ?? 0);
  }
  const end = start + 4 + frames.readUInt32BE(start);
  const cut = Buffer.concat([frames.subarray(0, start), frames.subarray(end)]);
  cut.writeUInt32BE(size - (end - start), 3);
  cut.writeUInt16BE(set & ~flags.headers, beforeFlags);
  return cut;
}
