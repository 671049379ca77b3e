import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  Operation,
  WalletServiceService,
  type TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Random } from '../../fuzz/random.ts';
import { meaningOf, type Asked, type Op } from '../book.ts';
import { outcomeOfReason } from '../record/outcomes.ts';
import { between, itemOf, listPartners, pause, pickNode, randomOf, type Load } from './load.ts';
import { beginAttempt } from './recording.ts';
import { takeResult, type Sent } from './wallet-streams.ts';

const patienceMs = 10_000;

/** An operator's groups, each in one request, asked for again as a whole until it has its answer. */
export async function runGroups(load: Load): Promise<void> {
  for (let step = 0; !load.isOver(); step += 1) {
    const random = randomOf(load, 'groups', step);
    const ops = chooseGroup(load, random).map((asked) => load.book.ask(asked));
    const isOpen = (): boolean => ops.some(({ outcome }) => outcome === undefined);
    for (let tries = 0; isOpen() && !load.isHopeless(); tries += 1) {
      if (tries > 0) await sleep(between(random, [200, 800]));
      await sendGroup(load, ops, random);
    }
    await pause(load, between(random, [300, 900]) / load.intensity);
  }
}

/** A payment with its fee, a chain of transfers, or both; now and then of more than there is. */
function chooseGroup(load: Load, random: Random): readonly Asked[] {
  const groupId = randomUUID();
  const partners = listPartners(load.site).map(({ id }) => id);
  const most = random.chance(15) ? 3_000_000 : 4_000;
  const of = (userId: string, operation: Operation): Asked => ({
    ...{ via: 'batch', callerClass: 'staff', userId, operation, groupId },
    amountMinor: BigInt(1 + random.int(most)),
  });
  const payer = random.pick(load.site.customers).id;
  const payment = [of(payer, Operation.PURCHASE), of(payer, Operation.FEE)];
  if (random.chance(40)) return payment;
  const [first = '', second = '', third = ''] = rotate(partners, random.int(partners.length));
  const chain = [
    { ...of(first, Operation.TRANSFER), otherUserId: second },
    { ...of(second, Operation.TRANSFER), otherUserId: third },
    of(third, Operation.WITHDRAW),
  ];
  return random.chance(60) ? chain : [...chain, of(first, Operation.FEE)];
}

const rotate = <T>(list: readonly T[], by: number): readonly T[] => [
  ...list.slice(by),
  ...list.slice(0, by),
];

async function sendGroup(load: Load, ops: readonly Op[], random: Random): Promise<void> {
  const node = pickNode(load, random);
  const sentMs = performance.now();
  const sent = ops.map((op): Sent => {
    op.daemons.add(node.name);
    return { op, sentMs, end: beginAttempt(load.record, op, 'groups', node.name) };
  });
  const request = { items: ops.map(itemOf), dryRun: false };
  const method = WalletServiceService.batchCreateTransactions;
  const { token } = load.site.operator;
  const answer = await node.connection().call(method, request, token, patienceMs);
  if (answer.ok) {
    const seqs = new Map<string, bigint>();
    const { results } = answer.value;
    sent.forEach((one, i) => {
      takeResult(load, 'batches', node, one, ownReason(results[i] ?? { outcome: undefined }), seqs);
    });
    judgeGroup(load, ops);
    return;
  }
  for (const { op, end } of sent) {
    end(outcomeOfReason(answer.reason));
    load.book.note(op, node.name, sentMs, `group: ${answer.reason}`);
  }
  if (answer.reason === 'INTERNAL') load.report.violate('INTERNAL', `a group on ${node.name}`);
}

/** Another item that is refused for a while aborts the group for a while only. */
function ownReason(result: TransactionResult): TransactionResult {
  const { outcome } = result;
  if (outcome?.$case !== 'refusal' || outcome.value.reason !== 'GROUP_ABORTED') return result;
  const { reason = '' } = outcome.value.metadata;
  if (meaningOf(reason) !== 'passing') return result;
  return { ...result, outcome: { ...outcome, value: { ...outcome.value, reason } } };
}

/** All are done, or none is. */
function judgeGroup({ report, book }: Load, ops: readonly Op[]): void {
  const done = ops.filter(({ outcome }) => outcome?.isDone === true);
  const [first] = ops;
  if (done.length === 0 || done.length === ops.length || !first) return;
  report.violate('groups', `${done.length} of ${ops.length} are done`, book.describe(first));
}
