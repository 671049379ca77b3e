import { setTimeout as sleep } from 'node:timers/promises';

import type { TransactionResult } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { openStream, type OpenStream } from '../support/stream.ts';
import { meaningOf, type Op } from './book.ts';
import type { LatencyClass } from './latencies.ts';
import {
  between,
  chooseOperation,
  itemOf,
  pickNode,
  randomOf,
  recordLatency,
  takeRefusal,
  type Load,
} from './load.ts';
import type { Node, Person } from './site.ts';

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
/** A busy wallet is left alone for a while: each try holds up what is behind it. */
const busyMs = 6_000;

type Sent = { readonly op: Op; readonly sentMs: number };

type State = {
  readonly load: Load;
  readonly client: StreamClient;
  step: number;
  /** To be sent, in this order. */
  waiting: Op[];
  busy: { readonly op: Op; readonly againMs: number }[];
};

/** An operator's stream: opened again, with what has no answer yet, whenever it ends. */
export async function runStream(load: Load, client: StreamClient): Promise<void> {
  const state: State = { load, client, step: 0, waiting: [], busy: [] };
  const isIdle = (): boolean => state.waiting.length + state.busy.length === 0;
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
      if (sent) isClosing = takeResult(state, node, sent, result, lastSeqs) || isClosing;
      else load.report.violate('streams', 'a result without an item');
    }
    if (hasEnded) break;
    const now = performance.now();
    if (inFlight.length === 0 && !isHalfClosed) lastResultMs = now;
    if (now - lastResultMs > patienceMs) stream.cancel();
    if (!isClosing && now >= nextSendMs) {
      nextSendMs = now + sendSome(state, stream, inFlight, node);
      const isDone = load.isOver() && inFlight.length + state.busy.length === 0;
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
  for (const { op, sentMs } of inFlight) load.book.note(op, node.name, sentMs, `stream: ${end}`);
  state.waiting = [...inFlight.map(({ op }) => op), ...state.waiting];
}

/** Sends what waits, with something new; gives the time until the next message. */
function sendSome(state: State, stream: OpenStream, inFlight: Sent[], node: Node): number {
  const { load, client } = state;
  const random = randomOf(load, client.name, state.step);
  state.step += 1;
  const now = performance.now();
  const isDue = ({ againMs }: { againMs: number }): boolean => againMs <= now || load.isOver();
  state.waiting.push(...state.busy.filter(isDue).map(({ op }) => op));
  state.busy = state.busy.filter((held) => !isDue(held));
  const count = load.isOver() || inFlight.length > maxWaiting ? 0 : 1 + random.int(5);
  for (let i = 0; i < count; i += 1) {
    const userId = random.pick(client.people).id;
    const asked = chooseOperation(load, random, { via: 'stream', callerClass: 'staff', userId });
    state.waiting.push(load.book.ask(asked));
  }
  const ops = state.waiting.splice(0);
  for (const op of ops) {
    op.daemons.add(node.name);
    inFlight.push({ op, sentMs: now });
  }
  if (ops.length > 0) stream.send(ops.map(itemOf));
  return between(random, sendEachMs);
}

/** Whether nothing more is to be sent on this stream. */
function takeResult(
  state: State,
  node: Node,
  { op, sentMs }: Sent,
  { outcome }: TransactionResult,
  lastSeqs: Map<string, bigint>,
): boolean {
  const { load, client } = state;
  if (outcome?.$case === 'created') {
    const { transaction, replayed } = outcome.value;
    const seq = transaction?.seq ?? 0n;
    load.book.note(op, node.name, sentMs, `done as ${seq}${replayed ? ', again' : ''}`);
    load.book.settleDone(op, transaction);
    if (!replayed && seq <= (lastSeqs.get(op.walletId) ?? 0n)) {
      load.report.violate('streams', 'not in the order of the stream', load.book.describe(op));
    }
    if (!replayed) lastSeqs.set(op.walletId, seq);
    recordLatency(load, client.of, op);
    return false;
  }
  const reason = outcome?.value.reason ?? 'nothing';
  load.book.note(op, node.name, sentMs, reason);
  takeRefusal(load, client.of, op, reason);
  if (op.outcome !== undefined) {
    recordLatency(load, client.of, op);
    return false;
  }
  if (reason === 'WALLET_BUSY') {
    state.busy.push({ op, againMs: performance.now() + busyMs });
    return false;
  }
  state.waiting.push(op);
  return meaningOf(reason) === 'passing' || reason === 'INTERNAL';
}
