import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { outcomeOfReason } from '../record/outcomes.ts';
import { complete } from './calls.ts';
import { between, itemOf, pause, randomOf, takeRefusal, type Load } from './load.ts';
import { beginAttempt, toOutcome } from './recording.ts';

const atOnce = 50;
const patienceMs = 15_000;

/** The same key 50 times at once, at all daemons: one effect, and equal answers. */
export async function runCrowds(load: Load): Promise<void> {
  const { customers, nodes, operator } = load.site;
  const method = WalletServiceService.createTransaction;
  for (let step = 0; !load.isOver(); step += 1) {
    const random = randomOf(load, 'crowds', step);
    const userId = random.pick(customers).id;
    const who = { via: 'grpc', callerClass: 'staff', userId } as const;
    const amountMinor = BigInt(1 + random.int(500));
    const operation = random.pick([Operation.DEPOSIT, Operation.WITHDRAW]);
    const op = load.book.ask({ ...who, operation, amountMinor });
    const request = { item: itemOf(op), dryRun: false };
    let fresh = 0;
    await Promise.all(
      Array.from({ length: atOnce }, async (_, i) => {
        const node = nodes[i % nodes.length] ?? nodes[0];
        const fromMs = performance.now();
        op.daemons.add(node.name);
        const end = beginAttempt(load.record, op, `crowd ${i}`, node.name);
        const answer = await node.connection().call(method, request, operator.token, patienceMs);
        if (!answer.ok) {
          end(outcomeOfReason(answer.reason));
          load.book.note(op, node.name, fromMs, answer.reason);
          if (answer.reason === 'INTERNAL') takeRefusal(load, 'calls', op, answer.reason);
          return;
        }
        const { transaction, replayed } = answer.value;
        end(toOutcome(transaction, replayed));
        if (!replayed) fresh += 1;
        load.book.settleDone(op, transaction);
      }),
    );
    if (fresh > 1) {
      load.report.violate('answers', `a key took effect ${fresh} times`, load.book.describe(op));
    }
    await complete(load, op, operator, random);
    await pause(load, between(random, [3_000, 6_000]));
  }
}
