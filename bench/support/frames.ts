import { connect } from 'node:net';

import { frame, literal, settings, types, u32 } from '../../tests/fuzz/http2-bytes.ts';

type OnEnd = (status: number, answer: Buffer) => void;
type Call = { readonly body: Buffer; readonly onEnd: OnEnd; readonly answer: Buffer[] };

/** One connection with calls on it, whose frames are written and read here. */
export type FrameClient = {
  /** Calls that may be opened before one has ended. */
  room(): number;
  /**
   * Sends a call; `body` is one gRPC message with its head. `onEnd` gets `grpc-status`, or -1 where
   * the stream was reset, and the bytes of the answer. What is sent in one turn of the loop goes
   * out in one write.
   */
  call(body: Buffer, onEnd: OnEnd): void;
  close(): void;
};

const endStream = 0x1;
const endHeaders = 0x4;
const ack = 0x1;
/** What the daemon lets one connection have open (server.ts), until its SETTINGS say otherwise. */
const maxOpenAtFirst = 100;
const maxConcurrentStreams = 3;
const refusedStream = 7;
const windowBytes = 1 << 30;
/**
 * Left in the daemon's window (64 KiB at first, renewed by half): more than any call here needs.
 */
const reserveBytes = 4 * 1024;

/**
 * `:method POST`, `:scheme http`, and the five that every call has, which the first call puts into
 * the table of headers: the newest has the number 62.
 */
const indexed = Buffer.from([0x83, 0x86, ...[66, 65, 64, 63, 62].map((index) => 0x80 | index)]);
/** `grpc-status` as HPACK has it, in Huffman's code. */
const statusName = Buffer.from('9acac8b21234da8f', 'hex');

/**
 * HTTP/2 as far as a load of unary calls needs it. Node's own client has a stream object for each
 * call and costs more than the daemon does; it would be the measure of everything. As the gRPC
 * libraries do, it keeps to the number of streams that the daemon's SETTINGS last allowed, and
 * sends a call again that was refused as a stream (REFUSED_STREAM), once there is room.
 */
export function connectFrames(
  address: string,
  path: string,
  token: string,
  onFailure: (err: Error) => void,
): Promise<FrameClient> {
  const [host, port] = address.split(':');
  const socket = connect({ host, port: Number(port), noDelay: true });
  const parts: Buffer[] = [];
  let isClosing = false;

  const flush = (): void => {
    if (parts.length === 0) return;
    socket.write(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts));
    parts.length = 0;
  };
  const send = (bytes: Buffer): void => {
    if (parts.length === 0) setImmediate(flush);
    parts.push(bytes);
  };
  const calls = createCalls(send, firstHeaders(path, token));
  const onSettings = (payload: Buffer): void => {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) === maxConcurrentStreams) {
        calls.allow(payload.readUInt32BE(at + 2));
      }
    }
    send(frame(types.settings, ack, 0, none));
  };
  const onFrame = (type: number, flags: number, id: number, payload: Buffer): void => {
    if (type === types.headers && (flags & endStream) !== 0) calls.finish(id, readStatus(payload));
    else if (type === types.data) calls.take(id, payload);
    else if (type === types.reset) calls.reset(id, payload.readUInt32BE(0));
    else if (type === types.settings && (flags & ack) === 0) onSettings(payload);
    else if (type === types.ping && (flags & ack) === 0) send(frame(types.ping, ack, 0, payload));
    else if (type === types.window && id === 0) calls.widen(payload.readUInt32BE(0));
    else if (type === types.goaway && !isClosing)
      onFailure(new Error(`the daemon ended a connection: ${payload.toString('hex')}`));
    calls.sendWaiting();
  };
  socket.on('data', createFrameReader(onFrame));
  socket.on('error', onFailure);
  socket.on('close', () => {
    if (!isClosing) onFailure(new Error('the daemon closed a connection'));
  });

  // No table for answers, so that each of their headers can be read by itself.
  const ours = settings([1, 0], [4, windowBytes]);
  send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
  send(Buffer.concat([ours, frame(types.window, 0, 0, u32(windowBytes))]));
  const client: FrameClient = {
    room: calls.room,
    call: calls.call,
    close: () => {
      isClosing = true;
      socket.destroy();
    },
  };
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(client));
    socket.once('error', reject);
  });
}

/** The calls of a connection: those that are open, and those for which there is no room yet. */
function createCalls(send: (bytes: Buffer) => void, first: Buffer) {
  const open = new Map<number, Call>();
  const waiting: Call[] = [];
  let maxOpen = maxOpenAtFirst;
  let next = 1;
  let windowLeft = 65_535;
  const hasRoom = (): boolean => windowLeft > reserveBytes && open.size < maxOpen;
  const begin = (call: Call): void => {
    const id = next;
    next += 2;
    open.set(id, call);
    windowLeft -= call.body.length;
    send(frame(types.headers, endHeaders, id, id === 1 ? first : indexed));
    send(frame(types.data, endStream, id, call.body));
  };
  const finish = (id: number, status: number): void => {
    const call = open.get(id);
    open.delete(id);
    if (!call) return;
    const [only = none, ...others] = call.answer;
    call.onEnd(status, others.length === 0 ? only : Buffer.concat(call.answer));
  };
  return {
    room: () => (windowLeft > reserveBytes ? Math.max(0, maxOpen - open.size - waiting.length) : 0),
    call: (body: Buffer, onEnd: OnEnd): void => {
      const call = { body, onEnd, answer: [] };
      if (hasRoom()) begin(call);
      else waiting.push(call);
    },
    take: (id: number, payload: Buffer) => void open.get(id)?.answer.push(payload),
    finish,
    reset: (id: number, code: number): void => {
      const call = open.get(id);
      if (!call || code !== refusedStream) {
        finish(id, -1);
        return;
      }
      open.delete(id);
      waiting.push(call);
    },
    allow: (streams: number) => (maxOpen = streams),
    widen: (bytes: number) => (windowLeft += bytes),
    sendWaiting: (): void => {
      while (waiting.length > 0 && hasRoom()) begin(waiting.shift() as Call);
    },
  };
}

const none = Buffer.alloc(0);

const firstHeaders = (path: string, token: string): Buffer =>
  Buffer.concat([
    Buffer.from([0x83, 0x86]),
    literal(':authority', 'localhost', true),
    literal(':path', path, true),
    literal('content-type', 'application/grpc', true),
    literal('te', 'trailers', true),
    literal('authorization', `Bearer ${token}`, true),
  ]);

/** The digits behind the name `grpc-status`, which are never worth Huffman's code. */
function readStatus(block: Buffer): number {
  const at = block.indexOf(statusName);
  const length = block[at + statusName.length] ?? 0;
  if (at < 0 || length < 1 || length > 2) throw new Error('an answer has no grpc-status');
  const start = at + statusName.length + 1;
  return Number(block.toString('latin1', start, start + length));
}

const headBytes = 9;

function createFrameReader(
  onFrame: (type: number, flags: number, id: number, payload: Buffer) => void,
): (chunk: Buffer) => void {
  let rest: Buffer | undefined;
  return (chunk) => {
    const bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const end = at + headBytes + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      const id = bytes.readUInt32BE(at + 5);
      onFrame(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, id, bytes.subarray(at + headBytes, end));
      at = end;
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined;
  };
}
