import { walletIdOf } from '../../../../core/ids.ts';
import { holdWallet } from '../../../support/postgres/hold-lock.ts';
import { currency } from '../clients.ts';
import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

/** Another program locks one wallet's row while both daemons get requests for it and for others. */
export const lockRow: Scenario = async ({ site, people, nodes, order, send, complete, record }) => {
  const [locked, ...others] = people.slice(0, 4);
  const person = locked ?? personAt(people, 0);
  for (const each of [person, ...others]) {
    await complete(order(each, { operation: 'deposit', amountMinor: 1_000n }), nodes);
  }
  const release = await holdWallet(site.ownerUrl, person.id);
  const end = record.beginFault('locks', walletIdOf(person.id, currency));
  const stuck = nodes.map((node) => ({
    ...{ node, deposit: order(person, { operation: 'deposit', amountMinor: 10n }) },
  }));
  const beside = others.map((each) => order(each, { operation: 'deposit', amountMinor: 20n }));
  await Promise.all([
    ...stuck.map(({ node, deposit }) => send(deposit, node)),
    ...beside.map((each) => complete(each, nodes)),
  ]);
  await release();
  end();
  for (const { node, deposit } of stuck) await complete(deposit, [node]);
};
