import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { chainHash, genesisHash } from '../../core/chain.ts';
import { userOfAccount } from '../../core/contra-account.ts';
import { absolute, bigger, usedBy } from '../../tests/support/ledger/programs/book.ts';
import { anyProgram, programWallets } from '../../tests/support/ledger/programs/generate.ts';
import {
  effectOf,
  outcomeOf,
  playInBatches,
  playOneByOne,
  timeByBatch,
  type Played,
} from '../../tests/support/ledger/programs/play.ts';
import { decide, newWallet, plainTerms, type Entry } from './domain.ts';

const options = { numRuns: 400 };
const sum = (values: readonly bigint[]): bigint => values.reduce((all, value) => all + value, 0n);
const entriesOf = ({ ledger }: Played, walletId: string): readonly Entry[] =>
  ledger.filter((entry) => entry.wallet.id === walletId);

describe('arbitrary commands', () => {
  it('over all wallets of a currency, balances are what came in from accounts outside', () => {
    fc.assert(
      fc.property(anyProgram, (program) => {
        const { ledger, wallets } = playOneByOne(program);
        for (const currency of ['BRL', 'JPY']) {
          const own = ledger.filter((entry) => entry.wallet.currency === currency);
          const outside = own.filter((e) => userOfAccount(e.contraAccount) === undefined);
          const balances = [...wallets.values()].filter((w) => w.currency === currency);
          const total = sum(balances.map((w) => w.balanceMinor));
          expect(total).toBe(sum(outside.map((e) => e.amountMinor)));
        }
        const between = ledger.filter((e) => userOfAccount(e.contraAccount) !== undefined);
        for (const { id } of between) {
          expect(sum(between.filter((e) => e.id === id).map((e) => e.amountMinor))).toBe(0n);
        }
      }),
      options,
    );
  });

  it('balances, debits and what is reserved are the sums of the entries', () => {
    fc.assert(
      fc.property(anyProgram, (program) => {
        const played = playOneByOne(program);
        for (const wallet of played.wallets.values()) {
          let [balanceMinor, debitedMinor, heldMinor] = [0n, 0n, 0n];
          for (const entry of entriesOf(played, wallet.id)) {
            balanceMinor += entry.amountMinor;
            heldMinor += entry.more?.heldMinor ?? 0n;
            if (entry.amountMinor < 0n) debitedMinor -= entry.amountMinor;
            expect(entry.balanceAfterMinor).toBe(balanceMinor);
            expect(entry.debitedAfterMinor).toBe(debitedMinor);
            expect(entry.more?.heldAfterMinor ?? 0n).toBe(heldMinor);
            expect(heldMinor >= 0n).toBe(true);
          }
          expect(wallet).toMatchObject({ balanceMinor, debitedMinor });
          expect(wallet.held?.heldMinor ?? 0n).toBe(heldMinor);
        }
      }),
      options,
    );
  });

  it('an ordinary debit or hold leaves what is reserved covered, and no balance is below its floor', () => {
    fc.assert(
      fc.property(anyProgram, (program) => {
        const floors = new Map<string, bigint>();
        for (const { command, decision, before } of playOneByOne(program).decided) {
          if (decision.kind !== 'accepted') continue;
          const isForcedUndo = command.operation === 'reversal' && command.more?.isForced === true;
          for (const { wallet, amountMinor, balanceAfterMinor, more } of decision.entries) {
            const { overdraftMinor } = before.get(wallet.id)?.terms ?? plainTerms;
            let floorMinor = -bigger(overdraftMinor, -(floors.get(wallet.id) ?? 0n));
            const isTaken = amountMinor < 0n || (more?.heldMinor ?? 0n) > 0n;
            const availableMinor =
              balanceAfterMinor + overdraftMinor - (more?.heldAfterMinor ?? 0n);
            if (isTaken && !isForcedUndo && command.operation !== 'capture') {
              expect(availableMinor >= 0n).toBe(true);
            }
            if (command.operation === 'capture' && amountMinor < 0n) {
              expect(balanceAfterMinor >= -overdraftMinor).toBe(true);
            }
            if (isForcedUndo && balanceAfterMinor < floorMinor) floorMinor = balanceAfterMinor;
            expect(balanceAfterMinor >= floorMinor).toBe(true);
            floors.set(wallet.id, floorMinor);
          }
        }
      }),
      options,
    );
  });

  it('the seqs of a wallet have no gap, and its hash chain verifies', () => {
    fc.assert(
      fc.property(anyProgram, (program) => {
        const played = playOneByOne(program);
        for (const { id, userId, currency, seq, lastHash } of played.wallets.values()) {
          const own = entriesOf(played, id);
          let [hash, lastAtMs] = [genesisHash(id, userId, currency), 0];
          own.forEach((entry, i) => {
            expect(entry.seq).toBe(BigInt(i + 1));
            expect(entry.occurredAtMs).toBeGreaterThanOrEqual(lastAtMs);
            hash = chainHash(hash, entry);
            lastAtMs = entry.occurredAtMs;
            expect(entry.hash).toBe(hash);
          });
          expect(seq).toBe(BigInt(own.length));
          expect(lastHash).toBe(hash);
        }
      }),
      options,
    );
  });

  it('the children of a transaction use it up without a gap, and never more than all of it', () => {
    fc.assert(
      fc.property(anyProgram, fc.integer({ min: 1, max: 20 }), (program, size) => {
        const { acts } = playOneByOne(timeByBatch(program, [size]));
        const { ledger } = playInBatches(acts, [size]);
        const used = new Map<string, bigint>();
        for (const entry of ledger) {
          if (entry.parentId === undefined) continue;
          const parent = ledger.find(
            ({ id, wallet }) => id === entry.parentId && wallet.id === entry.wallet.id,
          );
          const isOfHold = parent?.operation === 'hold';
          const wholeMinor = absolute(
            (isOfHold ? parent.more?.heldMinor : parent?.amountMinor) ?? 0n,
          );
          const key = `${entry.wallet.id} ${entry.parentId}`;
          const before = used.get(key) ?? 0n;
          const after = before + usedBy(entry);
          expect(entry.more?.parentUsedMinor).toBe(before);
          expect(entry.more?.parentAmountMinor).toBe(wholeMinor);
          expect(after <= wholeMinor).toBe(true);
          expect(entry.operation === 'capture' || entry.operation === 'release').toBe(isOfHold);
          if (!isOfHold) expect(entry.amountMinor < 0n).toBe((parent?.amountMinor ?? 0n) > 0n);
          expect(parent?.contraAccount).toBe(entry.contraAccount);
          used.set(key, after);
        }
      }),
      options,
    );
  });

  it('a batch of commands is decided as one command after the other would be', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
    fc.assert(
      fc.property(anyProgram, sizes, (program, given) => {
        const single = playOneByOne(timeByBatch(program, given));
        const batched = playInBatches(single.acts, given);
        expect(batched.decisions.map(effectOf)).toEqual(single.decisions.map(effectOf));
        const shown = ({ ledger, wallets }: Played) =>
          [...wallets.keys()].map((id) =>
            ledger
              .filter(({ wallet }) => wallet.id === id)
              .map((e) => [
                e.id,
                e.seq,
                e.amountMinor,
                e.balanceAfterMinor,
                e.more?.heldAfterMinor,
              ]),
          );
        expect(shown(batched)).toEqual(shown(single));
        expect(batched.book.holds).toEqual(single.book.holds);
      }),
      options,
    );
  });

  it('a refused command leaves both wallets as they were but for expired holds, and opens none', () => {
    fc.assert(
      fc.property(anyProgram, (program) => {
        const { decided, decisions, wallets, ledger } = playOneByOne(program);
        const accepted = new Set<string>();
        for (const { decision, implied, before, after, command } of decided) {
          if (decision.kind === 'accepted') accepted.add(command.transactionId);
          else if (implied.length === 0) expect(after).toEqual(before);
        }
        expect(decisions).toHaveLength(decided.length);
        for (const { id, source } of ledger) {
          expect(accepted.has(id)).toBe(source !== 'system');
        }
        for (const { seq, terms } of wallets.values()) expect(seq > 0n || terms.no > 0).toBe(true);
      }),
      options,
    );
  });

  it('a command sent again after it was accepted is a replay of the same entries', () => {
    fc.assert(
      fc.property(anyProgram, (program) => {
        const { decided, book } = playOneByOne(program);
        for (const { command, decision, atMs } of decided) {
          if (decision.kind !== 'accepted') continue;
          const again = decide(book.read([command], atMs), command, atMs);
          // Without an amount it means all that is left: the same only if it took that.
          const [entry] = decision.entries;
          const isRest =
            entry &&
            (entry.more?.parentUsedMinor ?? 0n) + usedBy(entry) === entry.more?.parentAmountMinor;
          expect(command.amountMinor !== undefined || isRest).toBe(true);
          expect(again).toEqual({ kind: 'replayed', entries: decision.entries });
        }
      }),
      options,
    );
  });

  it('the generated commands reach every kind of outcome that is listed', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(anyProgram, (program) => {
        for (const { decision, command, implied } of playOneByOne(program).decided) {
          const kinds = { rejected: outcomeOf(decision), replayed: 'replayed' };
          const outcome =
            decision.kind === 'accepted'
              ? `${command.operation} ${decision.entries.length}`
              : kinds[decision.kind];
          const all = implied.length > 0 ? [outcome, 'expired'] : [outcome];
          for (const one of all) seen.set(one, (seen.get(one) ?? 0) + 1);
        }
      }),
      { ...options, seed: 7 },
    );
    expect([...seen.keys()].sort()).toEqual(reached);
    for (const [outcome, count] of seen) expect([outcome, count > 20]).toEqual([outcome, true]);
  });

  it('a new wallet is active, with balance 0 and seq 0', () => {
    const [ref] = programWallets;
    const expected = { balanceMinor: 0n, debitedMinor: 0n, seq: 0n, terms: plainTerms };
    expect(ref && newWallet(ref)).toMatchObject(expected);
  });
});

const reached = [
  'CAPTURE_EXCEEDS_HOLD',
  'HOLD_CLOSED',
  'HOLD_EXPIRED',
  'HOLD_NOT_FOUND',
  'IDEMPOTENCY_KEY_REUSED',
  'INSUFFICIENT_FUNDS',
  'INVALID_ARGUMENT',
  'LIMIT_EXCEEDED',
  'PARENT_ALREADY_UNDONE',
  'PARENT_NOT_FOUND',
  'PARENT_NOT_UNDOABLE',
  'RECIPIENT_UNAVAILABLE',
  'UNDO_EXCEEDS_PARENT',
  'WALLET_CLOCK_AHEAD',
  'WALLET_FROZEN',
  'cancellation 1',
  'capture 1',
  'capture 2',
  'deposit 1',
  'expired',
  'fee 1',
  'hold 1',
  'purchase 1',
  'release 1',
  'replayed',
  'reversal 1',
  'reversal 2',
  'transfer 2',
  'withdraw 1',
];
