import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { sessionLimits } from '../../../daemon/platform/grpc/ingress/sessions.ts';
import { startTestServer } from '../../../daemon/platform/grpc/test-support.ts';
import { frameOf } from '../../fuzz/http2.ts';
import { frame, literal, settings, types, u32 } from '../../fuzz/http2-bytes.ts';

// A program: a server whose clients read nothing and leave their trailers unfinished. The server
// cuts the connections; then all garbage is collected.

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;

const endHeaders = 4;
const endStream = 1;
const windowSize = 2 ** 31 - 1;
const initialWindowSize = 4;
const firstWindow = 65_535;

const request = [
  literal(':method', 'POST'),
  literal(':scheme', 'http'),
  literal(':path', '/test.Test/talk'),
  literal(':authority', 'localhost'),
  literal('content-type', 'application/grpc'),
  literal('te', 'trailers'),
  literal('authorization', 'User ana'),
];
const begin = [
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  settings([initialWindowSize, windowSize]),
  frame(types.window, 0, 0, u32(windowSize - firstWindow)),
  frame(types.headers, endHeaders, 1, Buffer.concat(request)),
  frame(types.data, 0, 1, frameOf(Buffer.from('p'))),
  // Without the flag that ends the headers.
  frame(types.headers, endStream, 1, literal('a-trailer', 'b'.repeat(300))),
];
function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(Buffer.concat(begin));
  return socket;
}

const stand = await startTestServer({ sessions: { ...sessionLimits, stallMs: 300 } }, []);
const port = Number(stand.address.split(':').at(-1));
let cut = 0;
for (let round = 0; round < 3; round += 1) {
  const sockets = Array.from({ length: 20 }, () => open(port));
  await sleep(2_500);
  for (const socket of sockets) socket.destroy();
  cut += sockets.length;
  await sleep(100);
  collect({ type: 'minor' });
  await sleep(20);
  collect();
}
console.log(`connections cut: ${cut}`);
await stand.stop();
process.exit(0);
