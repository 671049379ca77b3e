import { personAt } from './people.ts';
import type { Scenario } from '../stage.ts';

const rounds = 6;

/**
 * The daemons take turns on one wallet: each time the first one remembers a state that the other
 * has changed meanwhile, and back to the same balance.
 */
export const takeTurns: Scenario = async ({ people, nodes, order, complete }) => {
  const [first, second] = nodes;
  const person = personAt(people, 0);
  const deposit = { operation: 'deposit', amountMinor: 500n } as const;
  const withdrawal = { operation: 'withdraw', amountMinor: 500n } as const;
  await complete(order(person, { operation: 'deposit', amountMinor: 10_000n }), [first]);
  for (let round = 0; round < rounds; round += 1) {
    await complete(order(person, deposit), [first]);
    await complete(order(person, deposit), [second]);
    await complete(order(person, withdrawal), [second]);
  }
  await complete(order(person, deposit), [first]);
};
