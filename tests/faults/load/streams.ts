import { setTimeout as sleep } from 'node:timers/promises';

import { openStream, type OpenStream } from '../../support/grpc/stream.ts';
import type { Op } from '../book.ts';
import type { LatencyClass } from '../latencies.ts';
import { between, chooseOperation, itemOf, pickNode, randomOf, type Load } from './load.ts';
import type { Node } from '../site/node.ts';
import type { Person } from '../site/people.ts';
import { beginAttempt } from './recording.ts';
import {
  createWalletStreams,
  takeResult,
  type Sent,
  type WalletStreams,
} from './wallet-streams.ts';

export type StreamClient = {
  readonly name: string;
  readonly of: LatencyClass;
  /** On whose wallets. */
  readonly people: readonly Person[];
};

const tickMs = 50;
const sendEachMs = [250, 500] as const;
const maxWaiting = 60;
/** No result for so long: the daemon may be gone, and the other one is asked. */
const patienceMs = 8_000;
/** Ended in good order after a while, and opened again at whichever daemon. */
const ageMs = 15_000;

type State = {
  readonly load: Load;
  readonly client: StreamClient;
  step: number;
  /** To be sent, in this order. */
  waiting: Op[];
  /** For wallets that this client's stream has refused as busy. */
  readonly apart: WalletStreams;
};

/** An operator's stream: opened again, with what has no answer yet, whenever it ends. */
export async function runStream(load: Load, client: StreamClient): Promise<void> {
  const apart = createWalletStreams(load, client.name, client.of);
  const state: State = { load, client, step: 0, waiting: [], apart };
  const isIdle = (): boolean => state.waiting.length === 0 && apart.isEmpty();
  for (let opened = 0; !(load.isOver() && isIdle()) && !load.isHopeless(); opened += 1) {
    const random = randomOf(load, `${client.name} open`, opened);
    await runOne(state, pickNode(load, random));
    await sleep(between(random, [100, 400]));
  }
}

/** One stream until it ends, by whatever. */
async function runOne(state: State, node: Node): Promise<void> {
  const { load } = state;
  const stream = openStream(node.address, load.site.operator.token);
  const inFlight: Sent[] = [];
  const lastSeqs = new Map<string, bigint>();
  /** What this stream refuses from now on. */
  const refused = new Set<string>();
  let read = 0;
  const openedMs = performance.now();
  let lastResultMs = openedMs;
  let nextSendMs = 0;
  let isClosing = false;
  let isHalfClosed = false;
  let end: string | undefined;
  void stream.ended.then((how) => (end = how));
  for (;;) {
    // Before the results are read: what came with the end is still an answer.
    const hasEnded = end !== undefined;
    for (const result of stream.results.slice(read)) {
      read += 1;
      lastResultMs = performance.now();
      const sent = inFlight.shift();
      if (!sent) {
        load.report.violate('streams', 'a result without an item');
        continue;
      }
      const taken = takeResult(load, state.client.of, node, sent, result, lastSeqs);
      if (taken === 'busy') {
        refused.add(sent.op.walletId);
        state.apart.take(sent.op);
      } else if (taken === 'again') {
        isClosing = true;
        state.waiting.push(sent.op);
      }
    }
    if (hasEnded) break;
    const now = performance.now();
    if (inFlight.length === 0 && !isHalfClosed) lastResultMs = now;
    if (now - lastResultMs > patienceMs) stream.cancel();
    if (!isClosing && now >= nextSendMs) {
      nextSendMs = now + sendSome(state, stream, inFlight, node, refused);
      const isDone = load.isOver() && inFlight.length === 0;
      isClosing = isDone || load.isHopeless() || now - openedMs > ageMs;
    }
    if (isClosing && !isHalfClosed) {
      isHalfClosed = true;
      stream.halfClose();
    }
    await sleep(tickMs);
  }
  stream.close();
  if (end === 'INTERNAL') load.report.violate('INTERNAL', `a stream on ${node.name} ended so`);
  for (const sent of inFlight) {
    sent.end({ kind: 'unknown', reason: `stream: ${end}` });
    load.book.note(sent.op, node.name, sent.sentMs, `stream: ${end}`);
  }
  state.waiting = [...inFlight.map(({ op }) => op), ...state.waiting];
}

/** Sends what waits, with something new; gives the time until the next message. */
function sendSome(
  state: State,
  stream: OpenStream,
  inFlight: Sent[],
  node: Node,
  refused: ReadonlySet<string>,
): number {
  const { load, client } = state;
  const random = randomOf(load, client.name, state.step);
  state.step += 1;
  const now = performance.now();
  const isFull = inFlight.length > maxWaiting * load.intensity;
  const count = load.isOver() || isFull ? 0 : (1 + random.int(5)) * load.intensity;
  for (let i = 0; i < count; i += 1) {
    const userId = random.pick(client.people).id;
    const asked = chooseOperation(load, random, { via: 'stream', callerClass: 'staff', userId });
    state.waiting.push(load.book.ask(asked));
  }
  const isApart = ({ walletId }: Op): boolean => refused.has(walletId) || state.apart.has(walletId);
  const waiting = state.waiting.splice(0);
  const ops = waiting.filter((op) => !isApart(op));
  waiting.filter(isApart).forEach((op) => state.apart.take(op));
  for (const op of ops) {
    op.daemons.add(node.name);
    inFlight.push({ op, sentMs: now, end: beginAttempt(load.record, op, client.name, node.name) });
  }
  if (ops.length > 0) stream.send(ops.map(itemOf));
  return between(random, sendEachMs);
}
