import { queryService, waitUntil } from '../../../support/ledger/ledger.ts';
import type { Scenario } from '../stage.ts';
import { walletIdOf } from '../../../../core/ids.ts';
import { currency } from '../clients.ts';
import { personAt } from './people.ts';

const count = 8;
/** In the middle. */
const delayedSeq = 4;

/** One line comes only after later ones, as where its message was delayed, and is asked for. */
export const delayLine: Scenario = async ({ site, people, nodes, order, complete, ...stage }) => {
  const { statement, record } = stage;
  const { dataDir } = site;
  const person = personAt(people, 0);
  const walletId = walletIdOf(person.id, currency);
  const from = new Date(Date.now() - 60_000);
  for (let n = 0; n < count; n += 1) {
    await complete(order(person, { operation: 'deposit', amountMinor: BigInt(50 + n) }), nodes);
  }
  await waitUntil('all lines are there', async () => {
    const text = 'SELECT seq FROM statement_lines WHERE wallet_id = $1';
    return (await queryService(dataDir, 'statement', text, [walletId])).length === count;
  });
  const end = record.beginFault('line delayed', walletId);
  const queryLines = (text: string) => queryService(dataDir, 'statement', text);
  const where = `WHERE wallet_id = '${walletId}' AND seq = ${delayedSeq}`;
  await queryLines(`CREATE TABLE delayed AS SELECT * FROM statement_lines ${where}`);
  await queryLines(`DELETE FROM statement_lines ${where}`);
  for (const node of nodes) await statement(person, node, from, new Date(Date.now() - 1));
  await queryLines('INSERT INTO statement_lines SELECT * FROM delayed');
  await queryLines('DROP TABLE delayed');
  end();
  for (const node of nodes) await statement(person, node, from, new Date(Date.now() - 1));
};
