import { setTimeout as sleep } from 'node:timers/promises';

import { walletIdOf } from '../../../../core/ids.ts';
import { queryService } from '../../../support/ledger/ledger.ts';
import { currency } from '../clients.ts';
import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const slowSeconds = 2;

/**
 * One daemon's COMMIT takes long, when its row of the outbox has its id already. Meanwhile the
 * other one commits rows with higher ids, which are sent first.
 */
export const slowDownCommit: Scenario = async ({
  site,
  people,
  nodes,
  order,
  complete,
  record,
}) => {
  const [first, second] = nodes;
  const [slow, quick] = [personAt(people, 0), personAt(people, 1)];
  for (const person of [slow, quick]) {
    await complete(order(person, { operation: 'deposit', amountMinor: 1_000n }), [first]);
  }
  const walletId = walletIdOf(slow.id, currency);
  const queryWallet = (text: string) => queryService(site.dataDir, 'wallet', text);
  await queryWallet(`CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_sleep(${slowSeconds}); RETURN NULL; END'`);
  await queryWallet(`CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON transactions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.wallet_id = '${walletId}') EXECUTE FUNCTION wait_at_commit()`);
  const end = record.beginFault('slow commit', walletId);
  const waiting = complete(order(slow, { operation: 'deposit', amountMinor: 30n }), [first]);
  await sleep(300);
  for (let n = 0; n < 5; n += 1) {
    await complete(order(quick, { operation: 'deposit', amountMinor: 5n }), [second]);
  }
  await waiting;
  await queryWallet('DROP TRIGGER slow_commit ON transactions');
  end();
};
