import { setTimeout as sleep } from 'node:timers/promises';

import { walletIdOf } from '../../../../core/ids.ts';
import { holdWallet } from '../../../support/postgres/hold-lock.ts';
import { currency } from '../clients.ts';
import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const messageCount = 5;

/** Messages wait for a locked wallet while the daemons that have received them are killed. */
export const killBeforeCommit: Scenario = async ({ site, people, nodes, ...stage }) => {
  const { order, complete, publish, record, start } = stage;
  const person = personAt(people, 0);
  await complete(order(person, { operation: 'deposit', amountMinor: 1_000n }), nodes);
  const release = await holdWallet(site.ownerUrl, person.id);
  const endLock = record.beginFault('locks', walletIdOf(person.id, currency));
  const wanted = { operation: 'deposit', amountMinor: 70n, callerClass: 'message' } as const;
  for (let n = 0; n < messageCount; n += 1) await publish(order(person, wanted));
  await sleep(1_500);
  await Promise.all(nodes.map((node) => node.kill()));
  await release();
  endLock();
  for (const node of nodes) await start(node);
};
