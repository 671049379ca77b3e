import { setTimeout as sleep } from 'node:timers/promises';

import type { TransactionResult } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { openStream, type OpenStream } from '../../support/grpc/stream.ts';
import { meaningOf, type Op } from '../book.ts';
import type { LatencyClass } from '../latencies.ts';
import {
  between,
  itemOf,
  pickNode,
  randomOf,
  recordLatency,
  takeRefusal,
  type Load,
} from './load.ts';
import type { Outcome } from '../record/history.ts';
import type { End } from '../record/record.ts';
import type { Node } from '../site/node.ts';
import { beginAttempt, toOutcome, toRefusal } from './recording.ts';

/** `end` takes the answer into the record of the run. */
export type Sent = { readonly op: Op; readonly sentMs: number; readonly end: End<Outcome> };

/**
 * `answered`: the result is final. `busy`: its stream refuses its wallet from now on. `again`: end
 * its stream, and send it on another one.
 */
type Taken = 'answered' | 'busy' | 'again';

/** Takes one result of a stream. `lastSeqs` are those of this stream, by wallet. */
export function takeResult(
  load: Load,
  of: LatencyClass,
  node: Node,
  { op, sentMs, end }: Sent,
  { outcome }: TransactionResult,
  lastSeqs: Map<string, bigint>,
): Taken {
  if (outcome?.$case === 'created') {
    const { transaction, replayed } = outcome.value;
    const seq = transaction?.seq ?? 0n;
    end(toOutcome(transaction, replayed));
    load.book.note(op, node.name, sentMs, `done as ${seq}${replayed ? ', again' : ''}`);
    load.book.settleDone(op, transaction);
    if (!replayed && seq <= (lastSeqs.get(op.walletId) ?? 0n)) {
      load.report.violate('streams', 'not in the order of the stream', load.book.describe(op));
    }
    if (!replayed) lastSeqs.set(op.walletId, seq);
    recordLatency(load, of, op);
    return 'answered';
  }
  const reason = outcome?.value.reason ?? 'nothing';
  end(toRefusal(outcome?.value ?? {}));
  load.book.note(op, node.name, sentMs, reason);
  takeRefusal(load, of, op, reason);
  if (op.outcome !== undefined) {
    recordLatency(load, of, op);
    return 'answered';
  }
  if (reason === 'WALLET_BUSY') return 'busy';
  return meaningOf(reason) === 'passing' || reason === 'INTERNAL' ? 'again' : 'answered';
}

/** Streams of one wallet each, for wallets that another stream refuses. */
export type WalletStreams = {
  /** True while something of this wallet waits here: later operations must wait behind it. */
  has(walletId: string): boolean;
  /** Sends it after everything that waits here for its wallet. */
  take(op: Op): void;
  isEmpty(): boolean;
};

/** No result for so long: the daemon may be gone, and the other one is asked. */
const patienceMs = 8_000;
const pauseMs = [500, 1_000] as const;

/** After WALLET_BUSY: a new stream for that wallet, with the same keys, until all is answered. */
export function createWalletStreams(load: Load, name: string, of: LatencyClass): WalletStreams {
  const waiting = new Map<string, Op[]>();
  let step = 0;
  const run = async (walletId: string): Promise<void> => {
    for (;;) {
      const ops = waiting.get(walletId) ?? [];
      if (ops.length === 0 || load.isHopeless()) break;
      const random = randomOf(load, `${name} of a wallet`, (step += 1));
      waiting.set(walletId, []);
      const left = await sendOnce(load, of, pickNode(load, random), ops);
      waiting.set(walletId, [...left, ...(waiting.get(walletId) ?? [])]);
      if (left.length > 0) await sleep(between(random, pauseMs));
    }
    waiting.delete(walletId);
  };
  return {
    has: (walletId) => waiting.has(walletId),
    take: (op) => {
      const ops = waiting.get(op.walletId);
      if (ops) ops.push(op);
      else {
        waiting.set(op.walletId, [op]);
        void run(op.walletId);
      }
    },
    isEmpty: () => waiting.size === 0,
  };
}

/** Sends these on a stream of their own. Gives those without an answer that ends the doubt. */
async function sendOnce(
  load: Load,
  of: LatencyClass,
  node: Node,
  ops: readonly Op[],
): Promise<readonly Op[]> {
  const sentMs = performance.now();
  const stream = openStream(node.address, load.site.operator.token);
  for (const op of ops) op.daemons.add(node.name);
  const ends = ops.map((op) => beginAttempt(load.record, op, of, node.name));
  stream.send(ops.map(itemOf));
  stream.halfClose();
  const end = await waitForEnd(stream, ops.length);
  const lastSeqs = new Map<string, bigint>();
  const left = ops.filter((op, i) => {
    const result = stream.results[i];
    const take = ends[i] ?? (() => undefined);
    if (result) {
      const sent = { op, sentMs, end: take };
      return takeResult(load, of, node, sent, result, lastSeqs) !== 'answered';
    }
    take({ kind: 'unknown', reason: `stream: ${end}` });
    load.book.note(op, node.name, sentMs, `stream: ${end}`);
    return true;
  });
  if (end === 'INTERNAL') load.report.violate('INTERNAL', `a stream on ${node.name} ended so`);
  stream.close();
  return left;
}

/** Ended by the client where nothing comes for so long. */
async function waitForEnd(stream: OpenStream, count: number): Promise<string> {
  for (let read = 0; ;) {
    const end = await Promise.race([stream.ended, sleep(patienceMs, undefined)]);
    if (end !== undefined) return end;
    if (stream.results.length === read || read === count) stream.cancel();
    read = stream.results.length;
  }
}
