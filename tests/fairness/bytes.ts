import { frame, literal, types } from '../fuzz/http2-bytes.ts';

/** The client's preface, its settings, and the acknowledgement of the server's. */
export const greeting = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(types.settings, 0, 0, Buffer.alloc(0)),
  frame(types.settings, 1, 0, Buffer.alloc(0)),
]);

/** HEADERS that open a gRPC call on this stream and leave its request open. */
export function openRequest(streamId: number, path: string): Buffer {
  const block = [
    literal(':method', 'POST'),
    literal(':scheme', 'http'),
    literal(':path', path),
    literal(':authority', 'localhost'),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ];
  return frame(types.headers, 4, streamId, Buffer.concat(block));
}

export const dataFrame = (streamId: number, payload: Buffer): Buffer =>
  frame(types.data, 0, streamId, payload);
