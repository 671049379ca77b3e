import { setTimeout as sleep } from 'node:timers/promises';

import { runAsAdmin } from '../databases.ts';
import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const readOnlyMs = 3_000;

/** The server refuses writes for a while, on the connections that there are. */
export const makeServerReadOnly: Scenario = async ({ site, people, nodes, ...stage }) => {
  const { order, complete, record } = stage;
  const deposit = { operation: 'deposit', amountMinor: 100n } as const;
  const setReadOnly = (setting: 'on' | 'off'): Promise<void> =>
    runAsAdmin(site.dataDir, [
      'SET default_transaction_read_only = off',
      `ALTER SYSTEM SET default_transaction_read_only = ${setting}`,
      'SELECT pg_reload_conf()',
    ]);
  for (const [place] of people.entries()) {
    await complete(order(personAt(people, place), deposit), nodes);
  }
  const end = record.beginFault('read-only', 'server');
  await setReadOnly('on');
  const waiting = nodes.map((node, place) =>
    complete(order(personAt(people, place), deposit), [node]),
  );
  await sleep(readOnlyMs);
  await setReadOnly('off');
  await Promise.all(waiting);
  end();
};
