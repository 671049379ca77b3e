import { setTimeout as sleep } from 'node:timers/promises';

import { createRandom } from '../../../fuzz/random.ts';
import type { Scenario, Stage } from '../stage.ts';
import { personAt } from './people.ts';

const walletCount = 4;
const clientCount = 12;
const durationMs = 6_000;

/**
 * Clients of both daemons on few wallets, whose balances stay small. For some seconds nearly every
 * commit meets one of the other daemon.
 */
export const runCrowd: Scenario = async (stage) => {
  const endsAtMs = performance.now() + durationMs;
  const clients = Array.from({ length: clientCount }, (_each, n) => runClient(stage, n, endsAtMs));
  await Promise.all(clients);
};

async function runClient(stage: Stage, client: number, endsAtMs: number): Promise<void> {
  const { people, nodes, order, complete } = stage;
  for (let step = 0; performance.now() < endsAtMs; step += 1) {
    const random = createRandom('crowd', String(client), step);
    const person = personAt(people, random.int(walletCount));
    const operation = random.chance(50) ? 'deposit' : 'withdraw';
    const wanted = { operation, amountMinor: BigInt(1 + random.int(300)) } as const;
    await complete(order(person, wanted), random.chance(50) ? nodes : nodes.toReversed());
    await sleep(random.int(20));
  }
}
