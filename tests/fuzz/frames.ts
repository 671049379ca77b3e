import { connect, type Socket } from 'node:net';

import { frame, literal, settings, types, u32 } from './http2-bytes.ts';
import type { Range } from './pure.ts';
import { createRandom, type Random } from './random.ts';
import type { Report } from './report.ts';
import { mutateBytes } from './values.ts';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const width = 24;
/** How long the server has to answer before the next connection comes. */
const lingerMs = 40;

const method = '/digitalwallet.wallet.v1.WalletService/GetBalance';
const request = Buffer.concat([
  literal(':method', 'POST'),
  literal(':scheme', 'http'),
  literal(':path', method),
  literal(':authority', 'localhost'),
  literal('content-type', 'application/grpc'),
  literal('te', 'trailers'),
]);

const endHeaders = 4;
const endStream = 1;
const hello = Buffer.concat([preface, settings()]);
const call = (id: number): Buffer =>
  Buffer.concat([
    frame(types.headers, endHeaders, id, request),
    frame(types.data, endStream, id, Buffer.alloc(5)),
  ]);
const odd = (i: number): number => 2 * i + 1;
const many = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));

type Script = (random: Random) => Buffer;

/** What is written to a connection; each has broken some server before. */
const scripts: Readonly<Record<string, Script>> = {
  noise: (random) => random.bytes(1 + random.int(2_000)),
  'another protocol': (random) =>
    Buffer.from(
      random.pick([
        'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
        'POST / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
        '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
        'AMQP\0\0\x09\x01',
        '\0\0\0\x08\x04\xd2\x16\x2f',
      ]),
      'latin1',
    ),
  'half a preface': (random) => preface.subarray(0, random.int(preface.length)),
  'noise after the preface': (random) => Buffer.concat([preface, random.bytes(500)]),
  'random frames': (random) =>
    Buffer.concat([
      hello,
      many(1 + random.int(40), () =>
        frame(
          random.int(14),
          random.int(256),
          random.int(2) * random.int(9),
          random.bytes(random.int(60)),
        ),
      ),
    ]),
  'wrong lengths': (random) =>
    Buffer.concat([
      hello,
      frame(
        random.int(10),
        random.int(256),
        random.int(4),
        random.bytes(random.int(40)),
        random.pick([0, 1, 5, 16_384, 16_385, 0xffffff]),
      ),
    ]),
  'many headers': (random) =>
    Buffer.concat([
      hello,
      frame(types.headers, 0, 1, request),
      many(random.int(60), (i) =>
        frame(types.continuation, 0, 1, literal(`x-${i}`, 'a'.repeat(4_000))),
      ),
    ]),
  'a header many times by its index': (random) => {
    const entry = literal('x-bomb', 'a'.repeat(3_900), true);
    const block = Buffer.concat([request, entry, Buffer.alloc(random.int(12_000), 0xbe)]);
    return Buffer.concat([
      hello,
      frame(types.headers, endHeaders | endStream, 1, block.subarray(0, 16_384)),
    ]);
  },
  'continuation without end': (random) =>
    Buffer.concat([
      hello,
      frame(types.headers, 0, 1, request),
      many(500 + random.int(2_000), () => frame(types.continuation, 0, 1, Buffer.alloc(0))),
    ]),
  'rapid resets': (random) =>
    Buffer.concat([
      hello,
      many(100 + random.int(400), (i) =>
        Buffer.concat([
          frame(types.headers, endHeaders, odd(i), request),
          frame(types.reset, 0, odd(i), u32(random.int(14))),
        ]),
      ),
    ]),
  'windows of nothing': (random) =>
    Buffer.concat([
      preface,
      settings(
        [4, random.pick([0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1])],
        [5, random.pick([0, 16_384, 2 ** 24])],
      ),
      many(20, (i) => call(odd(i))),
      frame(types.window, 0, random.int(3), u32(random.pick([0, 1, 2 ** 31 - 1]))),
      frame(types.window, 0, 0, u32(2 ** 31 - 1)),
    ]),
  'half-open streams': (random) =>
    Buffer.concat([
      hello,
      many(random.int(150), (i) => frame(types.headers, endHeaders, odd(i), request)),
    ]),
  'pings and settings': (random) =>
    Buffer.concat([
      hello,
      many(random.int(800), (i) =>
        i % 2 ? frame(types.ping, 0, 0, Buffer.alloc(8)) : settings([3, i]),
      ),
    ]),
  priorities: (random) =>
    Buffer.concat([
      hello,
      many(random.int(400), (i) =>
        frame(types.priority, 0, odd(i), Buffer.concat([u32(odd(i)), Buffer.from([255])])),
      ),
    ]),
  'data where none may be': (random) =>
    Buffer.concat([
      hello,
      frame(types.data, random.int(16), random.pick([0, 1, 2, 77]), random.bytes(random.int(50))),
      frame(types.data, 8, 1, Buffer.from([255, 1, 2])),
    ]),
  'tables of headers': (random) =>
    Buffer.concat([
      preface,
      settings([1, random.pick([0, 2 ** 32 - 1])]),
      frame(
        types.headers,
        endHeaders,
        1,
        Buffer.concat([Buffer.from([0x3f, 0xe1, 0xff, 0xff, 0x03]), request]),
      ),
      frame(types.headers, endHeaders, 3, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])),
    ]),
  'what only servers say': (random) =>
    Buffer.concat([
      hello,
      frame(types.push, endHeaders, 1, Buffer.concat([u32(2), request])),
      frame(types.goaway, 0, 0, Buffer.concat([u32(random.int(9)), u32(0)])),
      call(1),
    ]),
  'names of headers': (random) =>
    Buffer.concat([
      hello,
      frame(
        types.headers,
        endHeaders | endStream,
        1,
        Buffer.concat([
          request,
          literal(
            random.pick([
              'Connection',
              'transfer-encoding',
              ':status',
              ':path',
              '',
              'a b',
              'x\r\ny',
              'authorization',
            ]),
            random.pick(['x', 'a\r\nb', '\0', 'chunked']),
          ),
        ]),
      ),
    ]),
  'a good call, broken': (random) => {
    let bytes: Buffer = Buffer.concat([hello, call(1), call(3), call(5)]);
    for (let i = 1 + random.int(4); i > 0; i -= 1) bytes = mutateBytes(random, bytes);
    return bytes;
  },
};

const names = Object.keys(scripts);

/**
 * Connections that do not speak as they should. One connection with all that it writes is one
 * input.
 */
export async function fuzzFrames(report: Report, range: Range, address: string): Promise<void> {
  const [host = '', port = '0'] = address.split(':');
  let next = range.from;
  const lane = async (): Promise<void> => {
    while (next < range.from + range.count) {
      const index = next;
      next += 1;
      const random = createRandom(report.seed, 'frames', index);
      const name = random.pick(names);
      const bytes = scripts[name]?.(random) ?? Buffer.alloc(0);
      const isOpen = await converse(host, Number(port), bytes, random.chance(10));
      if (!isOpen) report.violate('frames', index, `refused a connection before "${name}"`);
      report.count('frames', name);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** Writes the bytes and closes the socket. Returns whether a connection was established. */
function converse(
  host: string,
  port: number,
  bytes: Buffer,
  isInPieces: boolean,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, host);
    let isOpen = false;
    const end = (): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.on('error', end);
    socket.on('close', end);
    socket.on('data', () => undefined);
    socket.on('connect', () => {
      isOpen = true;
      if (isInPieces) {
        socket.write(bytes.subarray(0, bytes.length / 2));
        setTimeout(() => socket.write(bytes.subarray(bytes.length / 2)), 10);
      } else socket.write(bytes);
      setTimeout(end, lingerMs);
    });
  });
}
