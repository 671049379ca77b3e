import { setTimeout as sleep } from 'node:timers/promises';

import { createRandom } from '../../../fuzz/random.ts';
import type { Scenario, Stage } from '../stage.ts';
import { personAt } from './people.ts';

const walletCount = 3;
const clientCount = 8;
const durationMs = 5_000;

/**
 * Transfers between few wallets over both daemons, and undos of parts of them at the same time;
 * first one that takes back what the payee has spent.
 */
export const moveBetweenWallets: Scenario = async (stage) => {
  const { people, nodes, order, complete } = stage;
  const [first, second] = nodes;
  const [payer, payee] = [personAt(people, 0), personAt(people, 1)];
  const fund = { operation: 'deposit', amountMinor: 2_000n } as const;
  for (let n = 0; n < walletCount; n += 1) {
    await complete(order(personAt(people, n), fund), [first]);
  }
  const paid = { operation: 'transfer', amountMinor: 1_500n, otherUserId: payee.id } as const;
  const transfer = order(payer, paid);
  await complete(transfer, [first]);
  await complete(transfer, [second]);
  await complete(order(payee, { operation: 'withdraw', amountMinor: 3_400n }), [second]);
  const parentId = transfer.command.transactionId;
  const undo = { operation: 'reversal', parentId, otherUserId: payee.id } as const;
  const ofStaff = { ...undo, callerClass: 'staff' } as const;
  await complete(order(payer, { ...ofStaff, amountMinor: 1_500n }), [first]);
  await complete(order(payee, fund), [first]);
  const parts = Array.from({ length: 8 }, (_each, n) =>
    complete(order(payer, { ...ofStaff, amountMinor: 400n }), [n % 2 === 0 ? first : second]),
  );
  await Promise.all(parts);
  const endsAtMs = performance.now() + durationMs;
  const clients = Array.from({ length: clientCount }, (_each, n) => runClient(stage, n, endsAtMs));
  await Promise.all(clients);
};

async function runClient(stage: Stage, client: number, endsAtMs: number): Promise<void> {
  const { people, nodes, order, complete } = stage;
  for (let step = 0; performance.now() < endsAtMs; step += 1) {
    const random = createRandom('two wallets', String(client), step);
    const from = random.int(walletCount);
    const other = personAt(people, (from + 1 + random.int(walletCount - 1)) % walletCount);
    const amountMinor = BigInt(1 + random.int(400));
    const way = random.chance(50) ? nodes : nodes.toReversed();
    const wanted = { operation: 'transfer', amountMinor, otherUserId: other.id } as const;
    const transfer = order(personAt(people, from), wanted);
    const done = await complete(transfer, way);
    if (done.kind === 'accepted' && random.chance(40)) {
      const { transactionId: parentId } = transfer.command;
      const undo = { operation: 'reversal', parentId, callerClass: 'staff' } as const;
      const part = { amountMinor: (amountMinor + 1n) / 2n, otherUserId: other.id };
      const twice = [0, 1].map(() => order(personAt(people, from), { ...undo, ...part }));
      await Promise.all(twice.map((each, n) => complete(each, [way[n] ?? nodes[0]])));
    }
    await sleep(random.int(20));
  }
}
