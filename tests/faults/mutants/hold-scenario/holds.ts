import { setTimeout as sleep } from 'node:timers/promises';

import { WalletServiceService } from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { currency } from '../clients.ts';
import type { Scenario, Stage } from '../stage.ts';
import { personAt } from '../scenarios/people.ts';

const staff = { callerClass: 'staff' } as const;

/**
 * Holds that are captured in parts over both daemons at once, that cover what others want to spend,
 * and that end; and spending up to a limit, which one daemon sets while the other one remembers the
 * wallet without it.
 */
export const holdAndSpend: Scenario = async (stage) => {
  await captureInParts(stage);
  await spendWhatIsHeld(stage);
  await spendAfterExpiry(stage);
  await spendUpToLimit(stage);
};

/** More captures at once than the hold has room for; captures after they are all done. */
async function captureInParts({ people, nodes, order, complete }: Stage): Promise<void> {
  const person = personAt(people, 0);
  await complete(order(person, { operation: 'deposit', amountMinor: 5_000n }), nodes);
  const hold = order(person, { ...staff, operation: 'hold', amountMinor: 1_000n });
  await complete(hold, nodes);
  const { transactionId: parentId } = hold.command;
  const part = { ...staff, operation: 'capture', amountMinor: 300n, keepsRest: true } as const;
  const parts = Array.from({ length: 8 }, (_each, n) =>
    complete(order(person, { ...part, parentId }), n % 2 === 0 ? nodes : nodes.toReversed()),
  );
  await Promise.all(parts);
}

async function spendWhatIsHeld({ people, nodes, order, complete }: Stage): Promise<void> {
  const person = personAt(people, 1);
  await complete(order(person, { operation: 'deposit', amountMinor: 1_000n }), nodes);
  await complete(order(person, { ...staff, operation: 'hold', amountMinor: 800n }), nodes);
  for (const node of nodes) {
    await complete(order(person, { operation: 'withdraw', amountMinor: 201n }), [node]);
  }
  await complete(order(person, { operation: 'withdraw', amountMinor: 200n }), nodes);
}

/** What a hold has reserved is free once its time is over, and the hold is of no use. */
async function spendAfterExpiry({ people, nodes, order, complete }: Stage): Promise<void> {
  const person = personAt(people, 2);
  for (const node of nodes) {
    await complete(order(person, { operation: 'deposit', amountMinor: 500n }), [node]);
    const wanted = { ...staff, operation: 'hold', amountMinor: 500n, lifeMs: 1_000 } as const;
    const hold = order(person, wanted);
    await complete(hold, [node]);
    await sleep(1_050);
    const use = { ...staff, operation: 'capture', amountMinor: 100n } as const;
    await complete(order(person, { ...use, parentId: hold.command.transactionId }), [node]);
    await complete(order(person, { operation: 'withdraw', amountMinor: 400n }), [node]);
  }
}

async function spendUpToLimit(stage: Stage): Promise<void> {
  const { people, nodes, order, complete } = stage;
  const person = personAt(people, 3);
  const [first, second] = nodes;
  const spend = (amountMinor: bigint) => order(person, { operation: 'withdraw', amountMinor });
  await complete(order(person, { operation: 'deposit', amountMinor: 9_000n }), [first]);
  await complete(spend(10n), [second]);
  await setLimit(stage, person.id, 1_000n);
  await complete(spend(995n), [second]);
  const hold = order(person, { ...staff, operation: 'hold', amountMinor: 600n });
  await complete(hold, [first]);
  await complete(spend(391n), [second]);
  const { transactionId: parentId } = hold.command;
  await complete(order(person, { ...staff, operation: 'capture', parentId }), [second]);
  // What is captured was counted when it was held: there is room up to the last unit.
  await complete(spend(391n), [first]);
  await complete(spend(390n), [second]);
  await complete(spend(1n), [first]);
}

async function setLimit(stage: Stage, userId: string, minor: bigint): Promise<void> {
  const { site, nodes } = stage;
  const limits = { rolling: [{ hours: 24, amountMinor: minor }], timezone: '' };
  const rest = { note: 'a limit', dryRun: false, clearLimits: false, limits };
  const request = { userId, currency, ...rest };
  const method = WalletServiceService.setWalletTerms;
  const answer = await nodes[0].connection().call(method, request, site.operator.token);
  if (!answer.ok) throw new Error(`limits were refused with ${answer.reason}`);
}
