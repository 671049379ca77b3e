import { setTimeout as sleep } from 'node:timers/promises';

import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Random } from '../../fuzz/random.ts';
import type { Op } from '../book.ts';
import {
  between,
  chooseOperation,
  itemOf,
  pause,
  pickNode,
  randomOf,
  recordLatency,
  takeRefusal,
  type Load,
} from './load.ts';
import type { Node } from '../site/node.ts';
import type { Person } from '../site/people.ts';
import { beginAttempt, toOutcome, toRefusal } from './recording.ts';

/** A patient caller, and one who asks the other daemon while the first may still do it. */
const patienceMs = [15_000, 4_000] as const;

/** A customer on their own wallet: one call after the other, to either daemon. */
export async function runCustomer(
  load: Load,
  person: Person,
  name: string,
  thinkMs: readonly [number, number],
): Promise<void> {
  for (let step = 0; !load.isOver(); step += 1) {
    const random = randomOf(load, name, step);
    const who = { via: 'grpc', callerClass: 'customer', userId: person.id } as const;
    await complete(load, load.book.ask(chooseOperation(load, random, who)), person, random);
    await pause(load, between(random, thinkMs));
  }
}

/** Concurrent calls on all wallets; a call that hangs does not delay the next one. */
export async function runOperator(load: Load): Promise<void> {
  const { customers, operator } = load.site;
  const calls: Promise<void>[] = [];
  for (let step = 0; !load.isOver(); step += 1) {
    const random = randomOf(load, 'operator', step);
    for (let i = (1 + random.int(8)) * load.intensity; i > 0; i -= 1) {
      const userId = random.pick(customers).id;
      const asked = chooseOperation(load, random, { via: 'grpc', callerClass: 'staff', userId });
      calls.push(complete(load, load.book.ask(asked), operator, random));
    }
    await pause(load, between(random, [600, 1_400]));
  }
  await Promise.all(calls);
}

/** Money to begin with. */
export async function fund(load: Load, person: Person, amountMinor: bigint): Promise<void> {
  const who = { via: 'grpc', callerClass: 'customer', userId: person.id } as const;
  const op = load.book.ask({ ...who, operation: Operation.DEPOSIT, amountMinor });
  await complete(load, op, person, randomOf(load, `fund ${person.id}`, 0));
}

/** Asks under the same key until there is an answer of the ledger. */
export async function complete(load: Load, op: Op, person: Person, random: Random): Promise<void> {
  for (let attempt = 0; op.outcome === undefined; attempt += 1) {
    if (load.isHopeless()) return;
    if (attempt > 0) await sleep(between(random, [100, 100 * 2 ** Math.min(attempt, 4)]));
    await ask(load, op, person, pickNode(load, random), random.pick(patienceMs));
  }
  recordLatency(load, 'calls', op);
  if (op.outcome.isDone && random.chance(2)) {
    // Once more under the key of a transaction that is done: to the same effect, from whichever.
    await ask(load, op, person, pickNode(load, random), patienceMs[0], true);
  }
}

async function ask(
  load: Load,
  op: Op,
  person: Person,
  node: Node,
  timeoutMs: number,
  isRepeated = false,
): Promise<void> {
  const fromMs = performance.now();
  // Before it is asked: a call that is stuck was asked there, too.
  op.daemons.add(node.name);
  const request = { item: itemOf(op), dryRun: false };
  const method = WalletServiceService.createTransaction;
  const end = beginAttempt(load.record, op, person.id, node.name);
  const answer = await node.connection().call(method, request, person.token, timeoutMs);
  end(answer.ok ? toOutcome(answer.value.transaction, answer.value.replayed) : toRefusal(answer));
  if (!answer.ok) {
    load.book.note(op, node.name, fromMs, answer.reason);
    if (!isRepeated || answer.reason === 'INTERNAL') takeRefusal(load, 'calls', op, answer.reason);
    return;
  }
  const { transaction, replayed } = answer.value;
  load.book.note(op, node.name, fromMs, `done as ${transaction?.seq}${replayed ? ', again' : ''}`);
  if (isRepeated && !replayed) {
    load.report.violate('answers', 'a key took effect again', load.book.describe(op));
  }
  load.book.settleDone(op, transaction);
}
