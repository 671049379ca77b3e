import { queryService, waitUntil } from '../../../support/ledger/ledger.ts';
import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

/** Within what the ledger tolerates of a wallet that is ahead of the clock. */
const stepSeconds = 120;

/**
 * The daemons are killed with a lease from a time when the database's clock was ahead. In that time
 * a hold ends: whatever the clocks of the daemons say, what it reserved is free.
 */
export const stepClockAhead: Scenario = async ({ site, people, nodes, ...stage }) => {
  const { order, complete, record, start } = stage;
  const deposit = { operation: 'deposit', amountMinor: 1_000n } as const;
  await complete(order(personAt(people, 0), deposit), nodes);
  const holder = personAt(people, 5);
  await complete(order(holder, deposit), nodes);
  const lifeMs = (stepSeconds / 2) * 1_000;
  const hold = { operation: 'hold', amountMinor: 900n, lifeMs, callerClass: 'staff' } as const;
  await complete(order(holder, hold), nodes);
  const endClock = record.beginFault('clock', `+${stepSeconds} s`);
  await site.clock.step(stepSeconds);
  await complete(order(holder, { operation: 'withdraw', amountMinor: 500n }), nodes);
  await complete(order(holder, deposit), nodes);
  await waitUntil('the lease is from then', async () => {
    const text = `SELECT expires_at > to_timestamp($1) AS is_ahead FROM relay_leases`;
    const fromSeconds = Date.now() / 1_000 + stepSeconds / 2;
    const rows = await queryService<{ is_ahead: boolean }>(site.dataDir, 'wallet', text, [
      fromSeconds,
    ]);
    return rows.some(({ is_ahead: isAhead }) => isAhead);
  });
  await Promise.all(nodes.map((node) => node.kill()));
  await site.clock.step(0);
  for (const node of nodes) await start(node);
  endClock();
  for (let n = 0; n < 5; n += 1) await complete(order(personAt(people, n), deposit), nodes);
};
