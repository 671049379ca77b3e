import { randomUUID } from 'node:crypto';

import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

/** The same key again with the same content and with another, and two undos of one parent. */
export const useKeysAgain: Scenario = async ({ people, nodes, order, complete }) => {
  const [first, second] = nodes;
  const person = personAt(people, 0);
  const key = randomUUID();
  const deposit = order(person, { operation: 'deposit', amountMinor: 3_000n, key });
  await complete(deposit, [first]);
  await complete(deposit, [second]);
  await complete(order(person, { operation: 'deposit', amountMinor: 4_000n, key }), [second]);
  await complete(order(person, { operation: 'deposit', amountMinor: 9_000n }), [second]);
  const parentId = deposit.command.transactionId;
  await complete(order(person, { operation: 'reversal', parentId }), [first]);
  await complete(order(person, { operation: 'reversal', parentId }), [second]);
  const pair = [first, second].map((node) => ({
    ...{ node, undo: order(person, { operation: 'reversal', parentId }) },
  }));
  await Promise.all(pair.map(({ node, undo }) => complete(undo, [node])));
};
