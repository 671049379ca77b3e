import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { transactionIdOf } from '../../../core/ids.ts';
import { isUndo, operations } from '../../../core/operations.ts';
import { buildCommand, walletRefOf } from '../../../tests/support/ledger/build-command.ts';
import { noStates } from '../../../tests/support/ledger/wallet-decider.ts';
import type { Command, Decision } from '../domain.ts';
import { decideBatch } from '../domain-batch.ts';
import { newOverlay, overlayStates, addToOverlay } from './overlay.ts';

const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const refs = ['BRL', 'JPY'].map((currency) => walletRefOf(userId, currency));

const commandArbitrary = fc
  .record({
    wallet: fc.constantFrom(...refs),
    key: fc.integer({ min: 0, max: 12 }),
    operation: fc.constantFrom(...operations, 'deposit', 'purchase', 'cancellation'),
    amountMinor: fc.bigInt({ min: 1n, max: 2n }),
    parentKey: fc.integer({ min: 0, max: 12 }),
  })
  .map(({ wallet, key, operation, amountMinor, parentKey }): Command => {
    const idOf = (n: number) => transactionIdOf(wallet.id, 'staff', String(n));
    return buildCommand(userId, {
      ...{ wallet, key: String(key), operation, callerClass: 'staff' },
      amountMinor: isUndo(operation) ? undefined : amountMinor,
      parentId: isUndo(operation) ? idOf(parentKey) : undefined,
    });
  });

const runArbitrary = fc.array(commandArbitrary, { minLength: 10, maxLength: 120 });
const sizesArbitrary = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });

/** A ledger that keeps what was decided, and gives a batch what the database would. */
function createLedger() {
  const all = newOverlay();
  const read = (commands: readonly Command[]) => overlayStates(all, noStates, commands);
  return {
    read,
    post: (commands: readonly Command[], nowMs: number) => {
      const decided = decideBatch(read(commands), commands, nowMs);
      addToOverlay(all, decided);
      return decided.decisions;
    },
  };
}

function inMessages(commands: readonly Command[], sizes: readonly number[]): Command[][] {
  const messages: Command[][] = [];
  for (let at = 0, turn = 0; at < commands.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    messages.push(commands.slice(at, at + size));
    at += size;
  }
  return messages;
}

const textOf = (decision: Decision) =>
  decision.kind === 'rejected'
    ? `rejected ${decision.rejection.reason} ${decision.rejection.message}`
    : `${decision.kind} ${decision.entries
        .map((e) => [e.id, e.seq, e.amountMinor, e.balanceAfterMinor, e.contraAccount].join())
        .join(';')}`;

describe('dry runs over many messages', () => {
  it('a dry run over many messages decides like the real run, and changes nothing', () => {
    fc.assert(
      fc.property(runArbitrary, runArbitrary, sizesArbitrary, (before, commands, sizes) => {
        const ledger = createLedger();
        ledger.post(before, 1);
        const seenBefore = ledger.read([...before, ...commands]);
        const overlay = newOverlay();
        const dry = inMessages(commands, sizes).flatMap((message, i) => {
          const states = overlayStates(overlay, ledger.read(message), message);
          const decided = decideBatch(states, message, i + 2);
          addToOverlay(overlay, decided);
          return decided.decisions.map(textOf);
        });
        expect(ledger.read([...before, ...commands])).toEqual(seenBefore);
        const real = commands.flatMap((command, i) => ledger.post([command], i + 2).map(textOf));
        expect(dry).toEqual(real);
      }),
      { numRuns: 300 },
    );
  });

  it('the generated dry runs reach replays, second undos and refusals', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(runArbitrary, (commands) => {
        const overlay = newOverlay();
        for (const message of inMessages(commands, [1])) {
          const states = overlayStates(overlay, createLedger().read([]), message);
          const decided = decideBatch(states, message, 1);
          addToOverlay(overlay, decided);
          for (const decision of decided.decisions) {
            seen.add(decision.kind === 'rejected' ? decision.rejection.reason : decision.kind);
          }
        }
      }),
      { numRuns: 300, seed: 7 },
    );
    expect([...seen].sort()).toEqual([
      'IDEMPOTENCY_KEY_REUSED',
      'INSUFFICIENT_FUNDS',
      'PARENT_ALREADY_UNDONE',
      'PARENT_NOT_FOUND',
      'PARENT_NOT_UNDOABLE',
      'accepted',
      'replayed',
    ]);
  });
});
