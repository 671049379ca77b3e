import { frame, literal, settings, types, u32 } from './http2-bytes.ts';

export const greeting = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  settings(),
  frame(types.settings, 1, 0, Buffer.alloc(0)),
]);
/** About so many bytes of the same frame. */
const floodBytes = 1_000_000;
const endHeaders = 4;
const none = Buffer.alloc(0);

const request = (path: string, more: readonly Buffer[] = [], isIndexed = false): Buffer =>
  Buffer.concat([
    literal(':method', 'POST', isIndexed),
    literal(':scheme', 'http', isIndexed),
    literal(':path', path, isIndexed),
    literal(':authority', 'localhost', isIndexed),
    literal('content-type', 'application/grpc', isIndexed),
    ...more,
  ]);
/** The five headers of `request` again, once they were indexed. */
const sameRequest = Buffer.from([66, 65, 64, 63, 62].map((index) => 0x80 | index));
const headers = (id: number, block: Buffer): Buffer => frame(types.headers, endHeaders, id, block);
const data = (id: number, bytes: Buffer): Buffer => frame(types.data, 0, id, bytes);
const odd = (i: number): number => 2 * i + 1;
const many = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
const fill = (unit: Buffer): Buffer => many(Math.floor(floodBytes / unit.length), () => unit);

/** Methods: one with one request, one with a stream of them, and health. */
export type FloodPaths = { readonly unary: string; readonly bidi: string; readonly health: string };

/** Head of a message of 196,608 bytes. */
const head = Buffer.from([0, 0, 3, 0, 0]);
const byte = Buffer.from([1]);
/** `size` is how much each frame carries. */
const smallFrames = (path: string, size: number, more: readonly Buffer[] = []): Buffer =>
  Buffer.concat([
    headers(1, request(path, more)),
    ...[...head].map((b) => data(1, Buffer.from([b]))),
    fill(data(1, Buffer.alloc(size, 1))),
  ]);

/**
 * Up to 1 MiB of frames that carry next to nothing, after the greeting; `size` bytes where one is
 * free.
 */
export const floods: Readonly<Record<string, (paths: FloodPaths, size: number) => Buffer>> = {
  'a message byte by byte': ({ unary }, size) => smallFrames(unary, size),
  'a message byte by byte, after its head': ({ unary }) =>
    Buffer.concat([headers(1, request(unary)), data(1, head), fill(data(1, byte))]),
  'messages byte by byte on 100 streams': ({ unary }) =>
    Buffer.concat([
      many(100, (i) => headers(odd(i), request(unary))),
      many(100, (i) => data(odd(i), head)),
      many(900, () => many(100, (i) => data(odd(i), byte))),
    ]),
  'a message byte by byte to a stream': ({ bidi }, size) => smallFrames(bidi, size),
  'a message byte by byte, compressed': ({ unary }, size) =>
    smallFrames(unary, size, [literal('grpc-encoding', 'gzip')]),
  'a message byte by byte to health': ({ health }, size) => smallFrames(health, size),
  'a message byte by byte to nothing': (_, size) => smallFrames('/no/such', size),
  'padded bytes': ({ unary }) =>
    Buffer.concat([
      headers(1, request(unary)),
      fill(frame(types.data, 8, 1, Buffer.from([200, 1, ...Buffer.alloc(200)]))),
    ]),
  'empty data': ({ unary }) => Buffer.concat([headers(1, request(unary)), fill(data(1, none))]),
  priorities: () => fill(frame(types.priority, 0, 1, Buffer.from([0, 0, 0, 0, 16]))),
  'window updates': () => fill(frame(types.window, 0, 0, u32(1))),
  'window updates of a stream': ({ unary }) =>
    Buffer.concat([headers(1, request(unary)), fill(frame(types.window, 0, 1, u32(1)))]),
  pings: () => fill(frame(types.ping, 0, 0, Buffer.alloc(8))),
  'settings of nothing': () => fill(settings()),
  'unknown frames': () => fill(frame(0xfa, 0, 0, none)),
  'large unknown frames': () => fill(frame(0xfa, 0, 0, Buffer.alloc(16_384))),
  'continuations of nothing': ({ unary }) =>
    Buffer.concat([frame(types.headers, 0, 1, request(unary)), fill(frame(9, 0, 1, none))]),
  'headers that are too large': ({ unary }) =>
    many(60, (i) =>
      Buffer.concat([
        frame(types.headers, 0, odd(i), request(unary)),
        frame(types.continuation, 0, odd(i), literal('x-a', 'a'.repeat(14_000))),
        frame(types.continuation, endHeaders, odd(i), literal('x-b', 'a'.repeat(3_000))),
      ]),
    ),
  'streams opened and reset': ({ unary }) =>
    Buffer.concat([
      headers(1, request(unary, [], true)),
      frame(types.reset, 0, 1, u32(8)),
      many(20_000, (i) =>
        Buffer.concat([
          headers(odd(i + 1), sameRequest),
          frame(types.reset, 0, odd(i + 1), u32(8)),
        ]),
      ),
    ]),
};
