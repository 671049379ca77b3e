import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { chainHash, genesisHash } from '../../core/chain.ts';
import { transactionIdOf, walletIdOf } from '../../core/ids.ts';
import { operations } from '../../core/operations.ts';
import { buildCommand } from '../../tests/support/ledger/build-command.ts';
import { noStates } from '../../tests/support/ledger/wallet-decider.ts';
import { newWallet, type Command, type Entry } from './domain.ts';
import { decideBatch } from './domain-batch.ts';

const users = ['6f1c3f3e-0000-4000-8000-000000000001'];
const refs = users.flatMap((userId) =>
  ['BRL', 'JPY'].map((currency) => ({
    id: walletIdOf(userId, currency),
    userId,
    currency,
    exponent: currency === 'JPY' ? 0 : 2,
  })),
);
/** Few wallets, keys and amounts, so that replays, reused keys and second undos are common. */
const commandArbitrary = fc
  .record({
    wallet: fc.constantFrom(...refs),
    key: fc.integer({ min: 0, max: 16 }),
    operation: fc.constantFrom(...operations, 'deposit', 'purchase', 'cancellation'),
    amountMinor: fc.bigInt({ min: 1n, max: 3n }),
    parentKey: fc.integer({ min: 0, max: 16 }),
    givesAmount: fc.boolean(),
    merchant: fc.constantFrom(undefined, 'a', 'b'),
  })
  .map(({ wallet, key, operation, amountMinor, parentKey, givesAmount, merchant }): Command => {
    const isUndo = operation === 'reversal' || operation === 'cancellation';
    return buildCommand(wallet.userId, {
      ...{ wallet, key: String(key), operation },
      amountMinor: isUndo && !givesAmount ? undefined : amountMinor,
      parentId: isUndo ? transactionIdOf(wallet.id, 'customer', String(parentKey)) : undefined,
      merchant: operation === 'purchase' ? merchant : undefined,
    });
  });

const runArbitrary = fc.array(commandArbitrary, { minLength: 20, maxLength: 120 });
const options = { numRuns: 400 };

/** Decides in batches of these sizes, loading each batch's states as the store would. */
function play(commands: readonly Command[], sizes: readonly number[]) {
  const ledger: Entry[] = [];
  const wallets = new Map(noStates.wallets);
  const outcomes: string[] = [];
  let at = 0;
  for (let turn = 0; at < commands.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    const batch = commands.slice(at, at + size);
    at += size;
    const entries = new Map(ledger.map((entry) => [entry.id, [entry]]));
    const undone = new Set(ledger.flatMap((e) => (e.parentId === undefined ? [] : [e.parentId])));
    const { decisions, changed } = decideBatch(
      { wallets, entries, undone, refused: new Map(), corrupt: new Set() },
      batch,
      at,
    );
    for (const wallet of changed) wallets.set(wallet.id, wallet);
    for (const decision of decisions) {
      if (decision.kind === 'accepted') ledger.push(...decision.entries);
      outcomes.push(
        decision.kind === 'rejected'
          ? decision.rejection.reason
          : `${decision.kind} ${decision.entries.map((e) => e.id).join()}`,
      );
    }
  }
  return { ledger, wallets, outcomes };
}

describe('arbitrary commands', () => {
  it('money is conserved: each balance is the sum of its entries, none is below zero', () => {
    fc.assert(
      fc.property(runArbitrary, (commands) => {
        const { ledger, wallets } = play(commands, [7]);
        for (const wallet of wallets.values()) {
          const own = ledger.filter((entry) => entry.wallet.id === wallet.id);
          let balanceMinor = 0n;
          for (const entry of own) {
            balanceMinor += entry.amountMinor;
            expect(entry.balanceAfterMinor).toBe(balanceMinor);
            expect(balanceMinor >= 0n).toBe(true);
          }
          expect(wallet.balanceMinor).toBe(balanceMinor);
        }
      }),
      options,
    );
  });

  it('the seqs of a wallet have no gap, and its hash chain verifies', () => {
    fc.assert(
      fc.property(runArbitrary, (commands) => {
        const { ledger, wallets } = play(commands, [3, 11]);
        for (const { id, userId, currency, seq, lastHash } of wallets.values()) {
          const own = ledger.filter((entry) => entry.wallet.id === id);
          let hash = genesisHash(id, userId, currency);
          own.forEach((entry, i) => {
            expect(entry.seq).toBe(BigInt(i + 1));
            hash = chainHash(hash, entry);
            expect(entry.hash).toBe(hash);
          });
          expect(seq).toBe(BigInt(own.length));
          expect(lastHash).toBe(hash);
        }
      }),
      options,
    );
  });

  it('a transaction is undone at most once, with the opposite amount', () => {
    fc.assert(
      fc.property(runArbitrary, (commands) => {
        const { ledger } = play(commands, [5]);
        const byId = new Map(ledger.map((entry) => [entry.id, entry]));
        const undos = ledger.filter((entry) => entry.parentId !== undefined);
        expect(new Set(undos.map((entry) => entry.parentId)).size).toBe(undos.length);
        for (const entry of undos) {
          const parent = byId.get(entry.parentId ?? '');
          expect(parent?.wallet.id).toBe(entry.wallet.id);
          expect(entry.amountMinor).toBe(-(parent?.amountMinor ?? 0n));
          expect(parent?.parentId).toBeUndefined();
        }
      }),
      options,
    );
  });

  it('a command sent again after it was accepted is a replay of the same entry', () => {
    fc.assert(
      fc.property(runArbitrary, (commands) => {
        const { outcomes } = play(
          commands.flatMap((command) => [command, command]),
          [4],
        );
        for (let i = 0; i < outcomes.length; i += 2) {
          const [first = '', second] = outcomes.slice(i, i + 2);
          expect(second).toBe(first.replace('accepted', 'replayed'));
        }
      }),
      options,
    );
  });

  it('a batch of commands is decided as one command after the other would be', () => {
    fc.assert(
      fc.property(
        runArbitrary,
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (commands, sizes) => {
          const single = play(commands, [1]);
          const batched = play(commands, sizes);
          expect(batched.outcomes).toEqual(single.outcomes);
          const amounts = (ledger: readonly Entry[]) =>
            ledger.map((e) => [e.id, e.seq, e.amountMinor, e.balanceAfterMinor]);
          expect(amounts(batched.ledger)).toEqual(amounts(single.ledger));
        },
      ),
      options,
    );
  });

  it('the generated commands reach every kind of outcome that is listed', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(runArbitrary, (commands) => {
        for (const outcome of play(commands, [6]).outcomes) seen.add(outcome.split(' ')[0] ?? '');
      }),
      { ...options, seed: 7 },
    );
    expect([...seen].sort()).toEqual([
      'AMOUNT_MISMATCH',
      'IDEMPOTENCY_KEY_REUSED',
      'INSUFFICIENT_FUNDS',
      'PARENT_ALREADY_UNDONE',
      'PARENT_NOT_FOUND',
      'PARENT_NOT_UNDOABLE',
      'accepted',
      'replayed',
    ]);
  });

  it('a new wallet is active, with balance 0 and seq 0', () => {
    const [ref] = refs;
    expect(ref && newWallet(ref)).toMatchObject({ balanceMinor: 0n, seq: 0n, status: 'active' });
  });
});
