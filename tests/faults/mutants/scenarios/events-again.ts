import { connect } from 'amqplib';

import { waitUntil } from '../../../support/ledger/ledger.ts';
import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const count = 10;

/** The broker delivers events to the statement service that it has handled before. */
export const repeatEvents: Scenario = async ({
  site,
  people,
  nodes,
  order,
  complete,
  ...stage
}) => {
  const { listener, record } = stage;
  for (let n = 0; n < count; n += 1) {
    const wanted = { operation: 'deposit', amountMinor: BigInt(100 + n) } as const;
    await complete(order(personAt(people, n % 2), wanted), nodes);
  }
  const isHeard = (): boolean => listener.bodies.length >= count;
  await waitUntil('all events are heard', () => Promise.resolve(isHeard()), 20_000);
  const end = record.beginFault('events again', 'statement_queue');
  const connection = await connect(site.broker.url(site.vhost));
  const channel = await connection.createConfirmChannel();
  for (const body of listener.bodies) {
    channel.sendToQueue('statement_queue', body, { persistent: true, mandatory: true });
  }
  await channel.waitForConfirms();
  await connection.close();
  end();
};
