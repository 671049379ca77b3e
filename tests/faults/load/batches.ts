import { setTimeout as sleep } from 'node:timers/promises';

import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Op } from '../book.ts';
import { outcomeOfReason } from '../record/outcomes.ts';
import { between, chooseOperation, itemOf, pause, pickNode, randomOf, type Load } from './load.ts';
import { beginAttempt } from './recording.ts';
import { takeResult, type Sent } from './wallet-streams.ts';

const patienceMs = 10_000;
const perBatch = 20;

/** Batches of an operator; what has no final answer comes with the next one, under its key. */
export async function runBatches(load: Load): Promise<void> {
  let waiting: readonly Op[] = [];
  for (let step = 0; !(load.isOver() && waiting.length === 0) && !load.isHopeless(); step += 1) {
    const random = randomOf(load, 'batches', step);
    const count = load.isOver() ? 0 : Math.max(0, perBatch - waiting.length);
    const fresh = Array.from({ length: count }, () => {
      const userId = random.pick(load.site.customers).id;
      const who = { via: 'batch', callerClass: 'staff', userId } as const;
      return load.book.ask(chooseOperation(load, random, who));
    });
    waiting = await sendBatch(load, [...waiting, ...fresh], step);
    await (load.isOver()
      ? sleep(200)
      : pause(load, between(random, [600, 1_200]) / load.intensity));
  }
}

/** Gives those without an answer that ends the doubt. */
async function sendBatch(load: Load, ops: readonly Op[], step: number): Promise<readonly Op[]> {
  const node = pickNode(load, randomOf(load, 'batches to', step));
  const sentMs = performance.now();
  const sent = ops.map((op): Sent => {
    op.daemons.add(node.name);
    return { op, sentMs, end: beginAttempt(load.record, op, 'batches', node.name) };
  });
  const request = { items: ops.map(itemOf), dryRun: false };
  const method = WalletServiceService.batchCreateTransactions;
  const { token } = load.site.operator;
  const answer = await node.connection().call(method, request, token, patienceMs);
  if (answer.ok) {
    const seqs = new Map<string, bigint>();
    const { results } = answer.value;
    return sent
      .filter((one, i) => {
        const result = results[i] ?? { outcome: undefined };
        return takeResult(load, 'batches', node, one, result, seqs) !== 'answered';
      })
      .map(({ op }) => op);
  }
  for (const { op, end } of sent) {
    end(outcomeOfReason(answer.reason));
    load.book.note(op, node.name, sentMs, `batch: ${answer.reason}`);
  }
  if (answer.reason === 'INTERNAL') load.report.violate('INTERNAL', `a batch on ${node.name}`);
  return ops;
}
