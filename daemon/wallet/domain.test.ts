import { describe, expect, it } from 'vitest';

import { amountLimitMinor } from '../../core/money.ts';
import { buildCommand, walletRefOf } from '../../tests/support/ledger/build-command.ts';
import { specify } from '../../tests/support/ledger/decider-spec.ts';
import {
  createWalletDecider,
  noStates,
  termsOf,
  withWallet,
} from '../../tests/support/ledger/wallet-decider.ts';
import { clockToleranceMs, type Command, type WalletState } from './domain.ts';

const nowMs = Date.UTC(2026, 10, 22);
const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const ref = walletRefOf(userId);
const { given } = specify(createWalletDecider(nowMs));

const command = (fields: Partial<Command>): Command =>
  buildCommand(userId, { key: 'k', ...fields });
const deposit = (key: string, amountMinor: bigint) => command({ key, amountMinor });
const withdraw = (key: string) => command({ key, operation: 'withdraw' });
const purchase = (key: string, amountMinor: bigint, merchant?: string) =>
  command({ key, operation: 'purchase', amountMinor, merchant });
const undo = (operation: 'reversal' | 'cancellation', key: string, parent: Command) =>
  command({ key, operation, amountMinor: undefined, parentId: parent.transactionId });

/** After these commands, the wallet with these changes. */
const givenWallet = (change: Partial<WalletState>, ...history: readonly Command[]) =>
  given(withWallet(given(noStates, ...history).state, ref, change));

describe('deposit, withdraw, purchase', () => {
  it('given nothing, when depositing, then the wallet has its first entry', () => {
    given(noStates)
      .when(deposit('a', 1234n))
      .then('accepted', {
        entries: [
          {
            seq: 1n,
            amountMinor: 1234n,
            balanceAfterMinor: 1234n,
            contraAccount: 'external:cash',
            occurredAtMs: nowMs,
          },
        ],
      });
  });

  it('given 100, when withdrawing 100, then 0 is left', () => {
    given(noStates, deposit('a', 100n))
      .when(withdraw('b'))
      .then('accepted', { entries: [{ amountMinor: -100n, balanceAfterMinor: 0n, seq: 2n }] });
  });

  it.each(['withdraw', 'purchase'] as const)(
    'given 99, when a %s of 100 is asked for, then it is refused',
    (operation) => {
      given(noStates, deposit('a', 99n))
        .when(command({ key: 'b', operation }))
        .then('INSUFFICIENT_FUNDS', {
          rejection: { metadata: { balance: '0.99', amount: '1.00' } },
        });
    },
  );

  it('given a wallet never opened, when withdrawing, then there are no funds', () => {
    given(noStates).when(withdraw('a')).then('INSUFFICIENT_FUNDS');
  });

  it('a purchase names its merchant as contra account', () => {
    const funded = given(noStates, deposit('a', 500n));
    funded
      .when(purchase('b', 100n, 'Bookshop'))
      .then('accepted', { entries: [{ contraAccount: 'merchant:Bookshop' }] });
    funded.when(purchase('b', 100n)).then('accepted', { entries: [{ contraAccount: 'merchant' }] });
  });

  it('a deposit past the balance limit is refused with BALANCE_LIMIT_EXCEEDED', () => {
    givenWallet({ balanceMinor: amountLimitMinor - 1n, seq: 1n })
      .when(deposit('b', 1n))
      .then('BALANCE_LIMIT_EXCEEDED');
  });
});

describe('cancellation and reversal', () => {
  const bought = purchase('p', 300n, 'Bookshop');
  const afterPurchase = given(noStates, deposit('d', 1000n), bought);

  it('a cancellation returns the full amount of a purchase from the same contra account', () => {
    afterPurchase.when(undo('cancellation', 'c', bought)).then('accepted', {
      entries: [
        { amountMinor: 300n, balanceAfterMinor: 1000n, contraAccount: 'merchant:Bookshop' },
      ],
    });
  });

  it('a cancellation undoes only a purchase', () => {
    const cancellation = undo('cancellation', 'c', deposit('d', 1000n));
    afterPurchase.when(cancellation).then('PARENT_NOT_UNDOABLE');
  });

  it('a reversal of a deposit debits its amount, and needs the funds', () => {
    const reversal = undo('reversal', 'r', deposit('d', 1000n));
    afterPurchase.when(reversal).then('INSUFFICIENT_FUNDS');
    given(noStates, deposit('d', 1000n))
      .when(reversal)
      .then('accepted', { entries: [{ amountMinor: -1000n, balanceAfterMinor: 0n }] });
  });

  it.each(['withdraw', 'purchase'] as const)(
    'a reversal of a %s credits its amount',
    (operation) => {
      const parent = command({ key: 'x', operation, amountMinor: 200n });
      given(noStates, deposit('d', 1000n), parent)
        .when(undo('reversal', 'r', parent))
        .then('accepted', { entries: [{ amountMinor: 200n, balanceAfterMinor: 1000n }] });
    },
  );

  it('an undo cannot be undone', () => {
    const undone = undo('cancellation', 'c', bought);
    given(noStates, deposit('d', 1000n), bought, undone)
      .when(undo('reversal', 'r', undone))
      .then('PARENT_NOT_UNDOABLE');
  });

  it.each(['reversal', 'cancellation'] as const)(
    'a purchase that was undone once takes no %s',
    (operation) => {
      given(noStates, deposit('d', 1000n), bought, undo('reversal', 'r1', bought))
        .when(undo(operation, 'r2', bought))
        .then('PARENT_ALREADY_UNDONE');
    },
  );

  it('a part of a purchase is undone, then another, then all that is left, and no more', () => {
    const part = (key: string, amountMinor: bigint) => ({
      ...{ ...undo('cancellation', key, bought), amountMinor },
    });
    afterPurchase.when(part('c', 301n)).then('UNDO_EXCEEDS_PARENT');
    const rest = given(noStates, deposit('d', 1000n), bought, part('a', 100n), part('b', 150n));
    rest.when(part('c', 51n)).then('UNDO_EXCEEDS_PARENT');
    rest.when(part('c', 50n)).then('accepted', {
      entries: [{ amountMinor: 50n, more: { parentUsedMinor: 250n, parentAmountMinor: 300n } }],
    });
    rest
      .when(undo('reversal', 'r', bought))
      .then('accepted', { entries: [{ amountMinor: 50n, balanceAfterMinor: 1000n }] });
  });

  it('an undo does not find a parent on another wallet, nor one that does not exist', () => {
    const usd = walletRefOf(userId, 'USD');
    afterPurchase
      .when({ ...undo('cancellation', 'c', bought), wallet: usd })
      .then('PARENT_NOT_FOUND');
    afterPurchase.when(undo('cancellation', 'c', purchase('never', 1n))).then('PARENT_NOT_FOUND');
  });
});

describe('idempotency', () => {
  const bought = purchase('p', 300n, 'Bookshop');
  const history = [deposit('d', 1000n), bought];
  const afterPurchase = given(noStates, ...history);

  it('the same key with the same content replays the original, also at a later time', () => {
    specify(createWalletDecider(nowMs + 5000))
      .given(afterPurchase.state)
      .when(deposit('d', 1000n))
      .then('replayed', { entries: [{ seq: 1n, occurredAtMs: nowMs }] });
  });

  it.each([
    ['another amount', deposit('d', 1001n)],
    ['another operation', command({ key: 'd', operation: 'withdraw', amountMinor: 1000n })],
    ['another merchant', purchase('p', 300n, 'Grocer')],
    ['no merchant', purchase('p', 300n)],
    ['a parent', undo('reversal', 'd', purchase('p', 300n))],
  ])('the same key with %s is refused', (_what, changed) => {
    afterPurchase.when(changed).then('IDEMPOTENCY_KEY_REUSED');
  });

  it('the same key with another description replays the original', () => {
    afterPurchase.when({ ...deposit('d', 1000n), description: 'another text' }).then('replayed');
  });

  it.each(['reversal', 'cancellation'] as const)(
    'the key of a %s with another parent of the same amount is refused',
    (operation) => {
      const other = purchase('p2', 300n, 'Bookshop');
      const again = undo(operation, 'c', bought);
      const undone = given(noStates, ...history, other, again);
      undone.when(undo(operation, 'c', other)).then('IDEMPOTENCY_KEY_REUSED');
      undone.when({ ...again, parentId: undefined }).then('IDEMPOTENCY_KEY_REUSED');
      undone.when(again).then('replayed');
    },
  );

  it('an undo is replayed whether it names its amount or not', () => {
    const again = undo('cancellation', 'c', bought);
    const cancelled = given(noStates, ...history, again);
    cancelled.when(again).then('replayed');
    cancelled.when({ ...again, amountMinor: 300n }).then('replayed');
    cancelled.when({ ...again, amountMinor: 1n }).then('IDEMPOTENCY_KEY_REUSED');
  });

  it('a replay is answered also where the wallet would refuse the command now', () => {
    givenWallet({ terms: termsOf('frozen'), balanceMinor: 0n }, ...history)
      .when(bought)
      .then('replayed');
  });
});

describe('frozen wallets and clocks', () => {
  const bought = purchase('p', 300n);
  const frozen = givenWallet({ terms: termsOf('frozen') }, deposit('d', 1000n), bought);

  it.each(['deposit', 'withdraw', 'purchase'] as const)(
    'a frozen wallet takes no %s, not even from staff',
    (operation) => {
      frozen
        .when(command({ key: 'x', operation, amountMinor: 1n, callerClass: 'staff' }))
        .then('WALLET_FROZEN');
    },
  );

  it('a frozen wallet takes an undo from staff only', () => {
    const cancel = undo('cancellation', 'c', bought);
    frozen.when(cancel).then('WALLET_FROZEN');
    frozen.when({ ...cancel, callerClass: 'message' }).then('WALLET_FROZEN');
    frozen.when({ ...cancel, callerClass: 'staff' }).then('accepted');
  });

  it('the time of an entry is never before that of the last entry', () => {
    const lastAtMs = nowMs + clockToleranceMs;
    givenWallet({ lastAtMs }, deposit('d', 1n))
      .when(deposit('e', 1n))
      .then('accepted', { entries: [{ occurredAtMs: lastAtMs }] });
  });

  it('the time of an entry is never before the read watermark', () => {
    const readWatermarkMs = nowMs + 2_000;
    givenWallet({ readWatermarkMs }, deposit('d', 1n))
      .when(deposit('e', 1n))
      .then('accepted', { entries: [{ occurredAtMs: readWatermarkMs }] });
    givenWallet({ readWatermarkMs: nowMs + clockToleranceMs + 1 }, deposit('d', 1n))
      .when(deposit('e', 1n))
      .then('WALLET_CLOCK_AHEAD');
  });

  it('a wallet further ahead of the clock than the tolerance is refused', () => {
    givenWallet({ lastAtMs: nowMs + clockToleranceMs + 1 }, deposit('d', 1n))
      .when(deposit('e', 1n))
      .then('WALLET_CLOCK_AHEAD');
  });
});

it('a decision changes none of the states that it was given', () => {
  const { state, when } = given(noStates, deposit('a', 100n));
  const before = structuredClone(state);
  when(withdraw('b')).then('accepted');
  expect(state).toEqual(before);
});
