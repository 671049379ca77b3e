import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { rpcs } from '../access-matrix/rpcs.ts';
import { floods, greeting } from './flood-bytes.ts';
import { frame, literal, types } from './http2-bytes.ts';
import { frameOf } from './http2.ts';
import type { Range } from './pure.ts';
import { createRandom, type Random } from './random.ts';
import type { Report } from './report.ts';

/** What an input of up to 1 MiB may cost before its caller is known. */
export const maxCostMs = 100;
/** A pause of the garbage collector hits one try, not each. */
export const tries = 4;
export const baselineMs = 2_000;
const quietMs = 150;
const longestMs = 20_000;

/**
 * Nanoseconds of processor time of all threads of a process: what `schedstat` counts, and not the
 * clock ticks of 10 ms.
 */
export function processorNs(pid: number): number {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // A thread that ended meanwhile.
    }
  }
  return sum;
}

type Input = { readonly name: string; readonly bytes: Buffer };

const paths = {
  unary: '/digitalwallet.wallet.v1.WalletService/CreateTransaction',
  bidi: '/digitalwallet.wallet.v1.WalletService/StreamTransactions',
  health: '/grpc.health.v1.Health/Check',
};
const floodNames = Object.keys(floods);

function makeInput(random: Random, index: number): Input {
  // Each flood once by bytes, then any of them.
  const size = index < floodNames.length ? 1 : 1 + random.int(random.pick([4, 31, 200]));
  const at = index < floodNames.length ? index : random.int(2 * floodNames.length);
  const name = floodNames[at];
  const bytes = name === undefined ? undefined : floods[name]?.(paths, size);
  if (name !== undefined && bytes) return { name: `${name}, ${size} B a frame`, bytes };
  return makeCutMessages(random);
}

/** Messages for any method, whole or not, cut into frames of 1 byte up on many streams. */
function makeCutMessages(random: Random): Input {
  const { path } = random.pick(rpcs).definition;
  const streams = 1 + random.int(100);
  const most = random.pick([1, 2, 10, 300, 16_384]);
  const block = Buffer.concat([
    literal(':method', 'POST'),
    literal(':scheme', 'http'),
    literal(':path', path),
    literal(':authority', 'localhost'),
    literal('content-type', 'application/grpc'),
    ...(random.chance(20) ? [literal('authorization', `Bearer ${'x'.repeat(200)}`)] : []),
    ...(random.chance(20) ? [literal('grpc-encoding', 'gzip')] : []),
  ]);
  const parts: Buffer[] = [];
  let left = 1_000_000;
  for (let i = 0; i < streams && left > 0; i += 1) {
    const id = 2 * i + 1;
    const message = Buffer.alloc(random.int(random.pick([100, 10_000, 300_000])), 7);
    const promised = random.chance(80) ? message.length : random.int(2 ** 19);
    const body = frameOf(message, random.chance(20) ? 1 : 0, promised);
    parts.push(frame(types.headers, 4, id, block));
    left -= block.length + 9;
    for (let at = 0; at < body.length && left > 0;) {
      const chunk = body.subarray(at, at + 1 + random.int(most));
      parts.push(frame(types.data, 0, id, chunk));
      at += chunk.length;
      left -= chunk.length + 9;
      if (random.chance(1)) parts.push(frame(types.data, 0, id, Buffer.alloc(0)));
    }
    if (random.chance(80)) parts.push(frame(types.data, 1, id, Buffer.alloc(0)));
  }
  return {
    name: `${streams} messages to ${path}, up to ${most} B a frame`,
    bytes: Buffer.concat(parts),
  };
}

/**
 * Floods of one connection each, one after the other, with nothing else going on but the good
 * client; how much processor time the daemon spent on each. What it spends without (measured
 * before) is taken off. An input above the bound is sent again: the least of the tries counts.
 */
export async function fuzzCost(
  report: Report,
  range: Range,
  address: string,
  pid: number,
): Promise<string> {
  const session = connectHttp2(`http://${address}`);
  session.on('error', () => undefined);
  const ask = (): Promise<void> => new Promise((resolve) => void session.ping(() => resolve()));
  const daemon = { address, pid, ask };
  const idle = processorNs(pid);
  await sleep(baselineMs);
  const idleShare = (processorNs(pid) - idle) / 1e6 / baselineMs;
  let worst = { costMs: 0, name: 'none' };
  for (let index = range.from; index < range.from + range.count; index += 1) {
    const input = makeInput(createRandom(report.seed, 'floods', index), index);
    let costMs = Infinity;
    for (let i = 0; i < tries && costMs > maxCostMs; i += 1) {
      costMs = Math.min(
        costMs,
        await measureCost(Buffer.concat([greeting, input.bytes]), daemon, idleShare),
      );
    }
    report.count('floods', input.name.replace(/[ ,]*\d.*/, ''));
    if (costMs > worst.costMs) worst = { costMs, name: input.name };
    if (costMs > maxCostMs) {
      report.violate('floods', index, `cost ${Math.round(costMs)} ms`, input.name);
    }
  }
  session.destroy();
  return (
    `worst processor time of an input: ${Math.round(worst.costMs)} ms (${worst.name}); ` +
    `idle ${(idleShare * 100).toFixed(1)} % taken off, ${range.count} inputs measured`
  );
}

export type Measured = {
  readonly address: string;
  readonly pid: number;
  /** Resolves once the daemon has answered: one that got no processor looks idle. */
  ask(): Promise<void>;
};

export async function measureCost(
  bytes: Buffer,
  { address, pid, ask }: Measured,
  idleShare: number,
): Promise<number> {
  const [host = '', port] = address.split(':');
  const before = processorNs(pid);
  const startedAt = performance.now();
  const socket = connect(Number(port), host);
  socket.on('error', () => undefined);
  socket.on('data', () => undefined);
  socket.write(bytes);
  // Until it is quiet again: as much as without, and a little.
  let last = before;
  for (let isQuiet = false; !isQuiet && performance.now() - startedAt < longestMs;) {
    await ask();
    await sleep(quietMs);
    await ask();
    const now = processorNs(pid);
    isQuiet = (now - last) / 1e6 < quietMs * idleShare + 4;
    last = now;
  }
  const costMs = (last - before) / 1e6 - idleShare * (performance.now() - startedAt);
  socket.destroy();
  return Math.max(0, costMs);
}
