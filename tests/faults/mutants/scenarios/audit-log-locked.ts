import { setTimeout as sleep } from 'node:timers/promises';

import { holdLock } from '../../../support/postgres/hold-lock.ts';
import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

/**
 * A staff call waits for the audit log, behind its row of the outbox. Meanwhile another daemon
 * commits rows with higher ids, which are sent first.
 */
export const lockAuditLog: Scenario = async ({ site, people, nodes, order, complete, record }) => {
  const [first, second] = nodes;
  for (const place of [0, 1]) {
    const wanted = { operation: 'deposit', amountMinor: 1_000n } as const;
    await complete(order(personAt(people, place), wanted), [first]);
  }
  const release = await holdLock(site.ownerUrl, 'LOCK TABLE audit_log IN SHARE MODE');
  const end = record.beginFault('table locked', 'audit_log');
  const wanted = { operation: 'deposit', amountMinor: 30n, callerClass: 'staff' } as const;
  const waiting = complete(order(personAt(people, 0), wanted), [first]);
  await sleep(500);
  for (let n = 0; n < 10; n += 1) {
    const beside = order(personAt(people, 1), { operation: 'deposit', amountMinor: 5n });
    await complete(beside, [second]);
  }
  // The relay sends them.
  await sleep(1_000);
  await release();
  await waiting;
  end();
};
