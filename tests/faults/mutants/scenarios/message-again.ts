import { waitUntil } from '../../../support/ledger/ledger.ts';
import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

/** A message that was refused comes again when the wallet has the money. */
export const repeatMessage: Scenario = async ({ people, nodes, order, complete, ...stage }) => {
  const person = personAt(people, 0);
  const { publish, record } = stage;
  await complete(order(person, { operation: 'deposit', amountMinor: 100n }), nodes);
  const message = order(person, {
    ...{ operation: 'withdraw', amountMinor: 5_000n, callerClass: 'message' },
  });
  await publish(message);
  const isRefused = (): boolean =>
    record.history().rejections.some(({ key }) => key === message.command.key);
  await waitUntil('the message is refused', () => Promise.resolve(isRefused()));
  await complete(order(person, { operation: 'deposit', amountMinor: 20_000n }), nodes);
  await publish(message);
  const after = order(person, {
    ...{ operation: 'deposit', amountMinor: 1n, callerClass: 'message' },
  });
  await publish(after);
};
