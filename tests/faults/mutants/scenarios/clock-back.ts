import { setTimeout as sleep } from 'node:timers/promises';

import type { Scenario, Stage } from '../stage.ts';
import { personAt } from './people.ts';

const stepSeconds = 3;

/** A balance is reported, then the clock of the database steps back behind that time. */
export const stepClockBack: Scenario = async (stage) => {
  const { site, people, nodes, order, complete, balance, record } = stage;
  const [first, second] = nodes;
  const person = personAt(people, 0);
  await complete(order(person, { operation: 'deposit', amountMinor: 1_000n }), [first]);
  await sleep((stepSeconds + 0.5) * 1_000);
  await balance(person, first, new Date(Date.now() + 1_000));
  const end = record.beginFault('clock', `-${stepSeconds} s`);
  await site.clock.step(-stepSeconds);
  await complete(order(person, { operation: 'deposit', amountMinor: 200n }), [first]);
  await complete(order(person, { operation: 'deposit', amountMinor: 300n }), [second]);
  await site.clock.step(0);
  end();
  await endHoldBetween(stage);
};

const [lifeSeconds, aheadSeconds] = [30, 60];

/**
 * A hold ends between the time of the clock and that of its wallet, of which a balance was reported
 * while the clock was ahead: no entry finds the hold open.
 */
async function endHoldBetween(stage: Stage): Promise<void> {
  const { site, people, nodes, order, complete, balance, record } = stage;
  const [first, second] = nodes;
  const person = personAt(people, 1);
  await complete(order(person, { operation: 'deposit', amountMinor: 1_000n }), [first]);
  const hold = { operation: 'hold', amountMinor: 900n, callerClass: 'staff' } as const;
  await complete(order(person, { ...hold, lifeMs: lifeSeconds * 1_000 }), [first]);
  const end = record.beginFault('clock', `+${aheadSeconds} s`);
  await site.clock.step(aheadSeconds);
  await balance(person, first, new Date(Date.now() + 2 * aheadSeconds * 1_000));
  await site.clock.step(0);
  await complete(order(person, { operation: 'deposit', amountMinor: 200n }), [second]);
  await complete(order(person, { operation: 'withdraw', amountMinor: 1_000n }), [first]);
  end();
}
