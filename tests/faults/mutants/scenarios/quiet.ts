import { setTimeout as sleep } from 'node:timers/promises';

import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const rounds = 60;

/** Two daemons that commit at the same moments, and nothing goes wrong. */
export const runQuietly: Scenario = async ({ people, nodes, order, complete }) => {
  for (let round = 0; round < rounds; round += 1) {
    const both = nodes.map((node, n) => {
      const wanted = { operation: 'deposit', amountMinor: BigInt(1 + round) } as const;
      return complete(order(personAt(people, 2 * round + n), wanted), [node]);
    });
    await Promise.all(both);
    await sleep(30);
  }
};
