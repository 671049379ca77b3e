import { setTimeout as sleep } from 'node:timers/promises';

import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const count = 60;

/** Two daemons, and nothing goes wrong. */
export const runQuietly: Scenario = async ({ people, nodes, order, complete }) => {
  const [first, second] = nodes;
  for (let n = 0; n < count; n += 1) {
    const wanted = { operation: 'deposit', amountMinor: BigInt(1 + n) } as const;
    await complete(order(personAt(people, n), wanted), [n % 2 === 0 ? first : second]);
    await sleep(30);
  }
};
