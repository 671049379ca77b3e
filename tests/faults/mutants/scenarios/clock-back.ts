import { setTimeout as sleep } from 'node:timers/promises';

import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const stepSeconds = 3;

/** A balance is reported, then the clock of the database steps back behind that time. */
export const stepClockBack: Scenario = async ({
  site,
  people,
  nodes,
  order,
  complete,
  ...stage
}) => {
  const [first, second] = nodes;
  const person = personAt(people, 0);
  const { balance, record } = stage;
  await complete(order(person, { operation: 'deposit', amountMinor: 1_000n }), [first]);
  await sleep((stepSeconds + 0.5) * 1_000);
  await balance(person, first, new Date(Date.now() + 1_000));
  const end = record.beginFault('clock', `-${stepSeconds} s`);
  await site.clock.step(-stepSeconds);
  await complete(order(person, { operation: 'deposit', amountMinor: 200n }), [first]);
  await complete(order(person, { operation: 'deposit', amountMinor: 300n }), [second]);
  await site.clock.step(0);
  end();
};
