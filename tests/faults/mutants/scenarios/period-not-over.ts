import { setTimeout as sleep } from 'node:timers/promises';

import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const aheadMs = 1_500;

/** A statement whose period ends a little later than now, and a transaction before its end. */
export const reportOpenPeriod: Scenario = async ({ people, nodes, order, complete, statement }) => {
  const person = personAt(people, 0);
  const from = new Date(Date.now() - 60_000);
  for (let n = 0; n < 3; n += 1) {
    const wanted = { operation: 'deposit', amountMinor: BigInt(100 + n) } as const;
    await complete(order(person, wanted), nodes);
  }
  // The lines are there.
  await sleep(1_000);
  const to = new Date(Date.now() + aheadMs);
  for (const node of nodes) await statement(person, node, from, to);
  await complete(order(person, { operation: 'deposit', amountMinor: 7n }), nodes);
  await sleep(aheadMs);
  for (const node of nodes) await statement(person, node, from, to);
};
