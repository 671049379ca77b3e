import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Attack } from './attack.ts';
import { greeting } from './bytes.ts';
import { pourFrames } from './pour-frames.ts';
import { fillSignIns } from './fill-sign-ins.ts';
import { fillStreams } from './fill-streams.ts';

// The worst that one network does, until the time is up: `frames`, `connections`, `sign-ins` or
// `streams`. Prints one JSON object of counts at the end. Arguments: kind, address, seconds, local
// addresses.

const kinds: Readonly<Record<string, (attack: Attack) => Promise<void>>> = {
  frames: pourFrames,
  connections: holdConnections,
  'sign-ins': fillSignIns,
  streams: fillStreams,
};

const [kind = '', address = '', seconds = '60', from = ''] = process.argv.slice(2);
const [, host = '', port = ''] = /^\[(.+)\]:(\d+)$/.exec(address) ?? [];
const endsAt = performance.now() + Number(seconds) * 1_000;
const attack: Attack = {
  host,
  port: Number(port),
  from: from.split(','),
  isOver: () => performance.now() >= endsAt,
  counts: new Map(),
};
const run = kinds[kind];
if (!run) throw new Error(`${kind} is none of ${Object.keys(kinds).join(', ')}`);
await run(attack);
console.log(JSON.stringify(Object.fromEntries(attack.counts)));
process.exit(0);

/**
 * As many connections as there are to be had, each idle after its greeting, opened again at once.
 */
async function holdConnections({ host, port, from, isOver, counts }: Attack): Promise<void> {
  const wanted = 3_000;
  const open = new Set<Socket>();
  let most = 0;
  for (let n = 0; !isOver(); n += 1) {
    if (open.size >= wanted) await sleep(20);
    else {
      const socket = connectTcp({ host, port, localAddress: from[n % from.length] ?? '' });
      open.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => open.delete(socket));
      socket.once('connect', () => socket.write(greeting));
      socket.resume();
      counts.set('opened', (counts.get('opened') ?? 0) + 1);
      most = Math.max(most, open.size);
      if (n % 50 === 0) await sleep(5);
    }
  }
  counts.set('open at once', most);
  counts.set('open at the end', open.size);
}
