import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { formatViolation } from '../checkers/violation.ts';
import { personAt } from '../mutants/scenarios/people.ts';
import { createStages, type Scenario, type Stages } from '../mutants/stage.ts';
import type { Outcome } from '../record/history.ts';

const walletCount = 10;
const transferCount = 200;
const undoCount = 20;

let stages: Stages;
beforeAll(async () => {
  stages = await createStages();
}, 180_000);
afterAll(() => stages.dispose());

/** What the ledger answered in the end: `done`, or the reason of the refusal. */
const textOf = (outcome: Outcome): string =>
  outcome.kind === 'accepted' ? 'done' : outcome.reason;

/** Runs it with two daemons; the checkers of the fault run find nothing. */
async function expectNoViolation(scenario: Scenario): Promise<void> {
  expect((await stages.run(scenario, {})).map(formatViolation)).toEqual([]);
}

const amountOf = ({ kind, ...rest }: Outcome): bigint =>
  kind === 'accepted' && 'amountMinor' in rest ? (rest.amountMinor ?? 0n) : 0n;

it(
  'of 20 undos of parts of one transfer at once, by two daemons, none passes its amount',
  () =>
    expectNoViolation(async ({ people, nodes, order, complete }) => {
      const [payer, payee] = [personAt(people, 0), personAt(people, 1)];
      await complete(order(payer, { operation: 'deposit', amountMinor: 10_000n }), nodes);
      const paid = { operation: 'transfer', amountMinor: 10_000n, otherUserId: payee.id } as const;
      const transfer = order(payer, paid);
      await complete(transfer, nodes);
      const { transactionId: parentId } = transfer.command;
      const undo = { operation: 'reversal', parentId, callerClass: 'staff' } as const;
      const outcomes = await Promise.all(
        Array.from({ length: undoCount }, (_, n) => {
          const part = { amountMinor: BigInt(600 + 10 * n), otherUserId: payee.id };
          return complete(
            order(payer, { ...undo, ...part }),
            n % 2 === 0 ? nodes : nodes.toReversed(),
          );
        }),
      );
      expect(new Set(outcomes.map(textOf))).toEqual(new Set(['done', 'UNDO_EXCEEDS_PARENT']));
      const undone = outcomes.map(amountOf).reduce((sum, amountMinor) => sum + amountMinor, 0n);
      expect(undone).toBeLessThanOrEqual(10_000n);
      // What is left is less than any of those that were refused.
      const rest = order(payer, { ...undo, amountMinor: 10_000n - undone, otherUserId: payee.id });
      if (undone < 10_000n) expect(textOf(await complete(rest, nodes))).toBe('done');
    }),
  120_000,
);

it(
  '200 transfers at once in a ring of 10 wallets are on both sides or none, with daemons killed',
  () =>
    expectNoViolation(async ({ people, nodes, order, complete, start }) => {
      for (let n = 0; n < walletCount; n += 1) {
        const deposit = order(personAt(people, n), { operation: 'deposit', amountMinor: 5_000n });
        expect(textOf(await complete(deposit, nodes))).toBe('done');
      }
      const transfers = Array.from({ length: transferCount }, (_, n) => {
        const { id: otherUserId } = personAt(people, (n + 1) % walletCount);
        const amountMinor = BigInt(1 + ((n * 37) % 900));
        const wanted = { operation: 'transfer', amountMinor, otherUserId } as const;
        return order(personAt(people, n % walletCount), wanted);
      });
      const kill = async (): Promise<void> => {
        for (const node of [...nodes, ...nodes]) {
          await sleep(30);
          await node.kill();
          await start(node);
        }
      };
      const [outcomes] = await Promise.all([
        Promise.all(
          transfers.map((each, n) => complete(each, n % 2 === 0 ? nodes : nodes.toReversed())),
        ),
        kill(),
      ]);
      const texts = outcomes.map(textOf);
      expect(texts.filter((text) => text !== 'done' && text !== 'INSUFFICIENT_FUNDS')).toEqual([]);
      expect(texts).toContain('done');
      // The same keys again: each has its answer, from either daemon.
      const again = await Promise.all(transfers.map((each) => complete(each, nodes)));
      texts.forEach((text, n) => {
        if (text === 'done') expect(again[n]).toMatchObject({ kind: 'accepted', isReplayed: true });
      });
    }),
  180_000,
);
