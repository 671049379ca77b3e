import { setTimeout as sleep } from 'node:timers/promises';

import { waitUntil } from '../../../support/ledger/ledger.ts';
import { runAsAdmin } from '../databases.ts';
import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const deposits = 5;
const readOnlyMs = 2_500;

/** The database of the lines refuses writes for a while, as a standby does. */
export const makeLinesReadOnly: Scenario = async ({ site, people, nodes, ...stage }) => {
  const { order, complete, listener, record } = stage;
  const person = personAt(people, 0);
  const deposit = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      await complete(order(person, { operation: 'deposit', amountMinor: 100n }), nodes);
    }
  };
  const setReadOnly = (isReadOnly: boolean): Promise<void> =>
    runAsAdmin(site.dataDir, [
      `ALTER DATABASE statement SET default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'statement'`,
    ]);
  await deposit(deposits);
  const isHeard = (): boolean => listener.bodies.length >= deposits;
  await waitUntil('all events are heard', () => Promise.resolve(isHeard()), 20_000);
  await sleep(500);
  const end = record.beginFault('read-only', 'statement');
  await setReadOnly(true);
  await deposit(deposits);
  await sleep(readOnlyMs);
  await setReadOnly(false);
  end();
};
