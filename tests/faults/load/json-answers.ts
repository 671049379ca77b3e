import { z } from 'zod';

import { setTimeout as sleep } from 'node:timers/promises';

import type { Op } from '../book.ts';
import type { Outcome } from '../record/history.ts';
import { outcomeOfReason } from '../record/outcomes.ts';
import type { Random } from '../../fuzz/random.ts';
import type { FaultNode } from '../site/fault-site.ts';
import { between, pickNode, recordLatency, takeRefusal, type Load } from './load.ts';
import { beginAttempt } from './recording.ts';

const toMinor = (amount: string): bigint => BigInt(amount.replace('.', ''));

/** docs/cli.md, "JSON": a transaction. */
const transaction = z.object({
  id: z.string(),
  seq: z.number(),
  amount: z.string(),
  balanceAfter: z.string(),
  occurredAt: z.string(),
  replayed: z.boolean(),
});

export const formatMinor = (minor: bigint): string =>
  `${minor / 100n}.${String(minor % 100n).padStart(2, '0')}`;

/** A transaction in the JSON of the gateway and of the command line, or the reason of a refusal. */
export type JsonAnswer = { readonly transaction: unknown } | { readonly reason: string };

/** Asks under the same key until there is an answer of the ledger. */
export async function completeBy(
  load: Load,
  op: Op,
  client: string,
  random: Random,
  ask: (node: FaultNode) => Promise<JsonAnswer>,
  chooseNode: () => FaultNode = () => pickNode(load, random),
): Promise<void> {
  for (let attempt = 0; op.outcome === undefined && !load.isHopeless(); attempt += 1) {
    if (attempt > 0) await sleep(between(random, [100, 100 * 2 ** Math.min(attempt, 4)]));
    const node = chooseNode();
    const fromMs = performance.now();
    op.daemons.add(node.name);
    const end = beginAttempt(load.record, op, client, node.name);
    const answer = await ask(node);
    if ('reason' in answer) {
      end(outcomeOfReason(answer.reason));
      load.book.note(op, node.name, fromMs, answer.reason);
      takeRefusal(load, 'calls', op, answer.reason);
      continue;
    }
    const made = transaction.safeParse(answer.transaction);
    if (!made.success) {
      end({ kind: 'unknown', reason: 'not a transaction' });
      const text = JSON.stringify(answer.transaction);
      load.report.violate('answers', `no transaction: ${text}`, load.book.describe(op));
      return;
    }
    const { id, seq, amount } = made.data;
    end(toOutcome(made.data));
    load.book.note(op, node.name, fromMs, `done as ${seq}`);
    load.book.settleDone(op, { id, seq: BigInt(seq), amountMinor: toMinor(amount) });
    recordLatency(load, 'calls', op);
  }
}

function toOutcome(made: z.infer<typeof transaction>): Outcome {
  const { id: transactionId, seq, amount, balanceAfter, occurredAt, replayed } = made;
  return {
    ...{ kind: 'accepted', transactionId, seq: BigInt(seq), amountMinor: toMinor(amount) },
    ...{ balanceAfterMinor: toMinor(balanceAfter), isReplayed: replayed },
    occurredAtMs: Date.parse(occurredAt),
  };
}
