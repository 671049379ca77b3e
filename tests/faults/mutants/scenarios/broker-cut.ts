import { setTimeout as sleep } from 'node:timers/promises';

import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const cuts = 3;
const perCut = 20;

/** Transactions go on while every connection of the broker is cut, several times. */
export const cutBroker: Scenario = async ({ site, people, nodes, order, complete, record }) => {
  const { broker, vhost } = site;
  for (let cut = 0; cut < cuts; cut += 1) {
    const end = record.beginFault('broker', 'all connections');
    const cutting = broker.ctl('close_all_connections', '--vhost', vhost, 'fault run');
    const cutAt = { isDone: false };
    void cutting.then(() => (cutAt.isDone = true));
    for (let n = 0; n < perCut || !cutAt.isDone; n += 1) {
      const wanted = { operation: 'deposit', amountMinor: 10n } as const;
      await complete(order(personAt(people, n), wanted), nodes);
    }
    await cutting;
    end();
    await sleep(500);
  }
};
