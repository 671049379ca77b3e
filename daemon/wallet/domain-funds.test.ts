import { describe, it } from 'vitest';

import { buildCommand, walletRefOf } from '../../tests/support/ledger/build-command.ts';
import { specify } from '../../tests/support/ledger/decider-spec.ts';
import {
  createWalletDecider,
  noStates,
  termsOf,
  withWallet,
} from '../../tests/support/ledger/wallet-decider.ts';
import type { Command, CommandMore, WalletState } from './domain.ts';

const nowMs = Date.UTC(2026, 10, 22);
const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const ref = walletRefOf(userId);
const payee = walletRefOf('6f1c3f3e-0000-4000-8000-000000000002');
const { given } = specify(createWalletDecider(nowMs));

const command = (fields: Partial<Command>): Command =>
  buildCommand(userId, { callerClass: 'staff', key: 'k', ...fields });
const deposit = command({ key: 'd', amountMinor: 100n });
const withdraw = (amountMinor: bigint) => command({ operation: 'withdraw', amountMinor });
const hold = (more: CommandMore = {}) =>
  command({ key: 'h', operation: 'hold', more: { expiresInMs: 1_000, ...more } });
const capture = (more?: CommandMore) =>
  command({
    ...{ key: 'c', operation: 'capture', amountMinor: 60n, more },
    parentId: hold().transactionId,
  });
const undo = (operation: 'reversal' | 'cancellation', more?: CommandMore) =>
  command({
    ...{ key: 'u', operation, amountMinor: undefined, more },
    parentId: capture().transactionId,
  });

const withState = (change: Partial<WalletState>) =>
  given(withWallet(given(noStates, deposit).state, ref, change));

describe('overdraft', () => {
  const terms = { ...termsOf('active'), overdraftMinor: 50n };

  it('a debit or hold may take the balance as far below 0, and no further', () => {
    withState({ terms })
      .when(withdraw(150n))
      .then('accepted', {
        entries: [{ balanceAfterMinor: -50n }],
      });
    withState({ terms })
      .when(withdraw(151n))
      .then('INSUFFICIENT_FUNDS', {
        rejection: { metadata: { balance: '1.00', available: '1.50', amount: '1.51' } },
      });
    withState({ terms })
      .when({ ...hold(), amountMinor: 150n })
      .then('accepted');
    withState({ terms })
      .when({ ...hold(), amountMinor: 151n })
      .then('INSUFFICIENT_FUNDS');
  });

  it('what open holds reserve cannot be spent by it either', () => {
    const held = { heldMinor: 120n, nextExpiryMs: nowMs + 1 };
    withState({ terms, held }).when(withdraw(30n)).then('accepted');
    withState({ terms, held }).when(withdraw(31n)).then('INSUFFICIENT_FUNDS');
  });

  it('below a limit that was lowered nothing more is taken, and credits go on', () => {
    const lowered = { ...termsOf('active'), overdraftMinor: 10n };
    withState({ terms: lowered, balanceMinor: -40n }).when(withdraw(1n)).then('INSUFFICIENT_FUNDS');
    withState({ terms: lowered, balanceMinor: -40n })
      .when(command({ amountMinor: 5n }))
      .then('accepted', { entries: [{ balanceAfterMinor: -35n }] });
  });

  it('force passes no balance but by a reversal', () => {
    const forced = { more: { isForced: true } };
    withState({})
      .when({ ...withdraw(101n), ...forced })
      .then('INSUFFICIENT_FUNDS');
    withState({})
      .when({ ...hold({ isForced: true }), amountMinor: 101n })
      .then('INSUFFICIENT_FUNDS');
  });
});

describe('all debits of a wallet', () => {
  const max = 9_200_000_000_000_000_000n;

  it('a debit may bring them to their bound, and not past it', () => {
    withState({ debitedMinor: max - 10n })
      .when(withdraw(10n))
      .then('accepted', {
        entries: [{ debitedAfterMinor: max }],
      });
    withState({ debitedMinor: max - 10n })
      .when(withdraw(11n))
      .then('DEBIT_TOTAL_EXCEEDED', {
        rejection: { metadata: { field: 'amount', walletId: ref.id } },
      });
    withState({ debitedMinor: max })
      .when(command({ amountMinor: 5n }))
      .then('accepted');
    withState({ debitedMinor: max }).when(hold()).then('accepted');
  });

  it('a forced reversal does not pass it', () => {
    const reversal = command({
      ...{ operation: 'reversal', amountMinor: undefined, more: { isForced: true } },
      parentId: deposit.transactionId,
    });
    withState({ debitedMinor: max - 99n })
      .when(reversal)
      .then('DEBIT_TOTAL_EXCEEDED');
    withState({ debitedMinor: max - 100n })
      .when(reversal)
      .then('accepted');
  });
});

describe('the undo of a capture', () => {
  const captured = given(noStates, deposit, hold(), capture());

  it.each(['reversal', 'cancellation'] as const)(
    'a %s gives back what a merchant got, in parts, and never more',
    (operation) => {
      captured.when(undo(operation)).then('accepted', {
        entries: [
          {
            ...{ amountMinor: 60n, balanceAfterMinor: 100n, contraAccount: 'merchant' },
            more: { heldMinor: 0n, parentUsedMinor: 0n, parentAmountMinor: 60n },
          },
        ],
      });
      const part = { ...withoutId(undo(operation)), key: 'p', amountMinor: 40n };
      const parted = given(captured.state, command(part));
      parted.when({ ...undo(operation), amountMinor: 21n }).then('UNDO_EXCEEDS_PARENT');
      parted.when(undo(operation)).then('accepted', { entries: [{ amountMinor: 20n }] });
    },
  );

  it('a customer undoes no capture: staff took it', () => {
    for (const operation of ['reversal', 'cancellation'] as const) {
      captured
        .when({ ...undo(operation), callerClass: 'customer' })
        .then('PARENT_NOT_UNDOABLE', { rejection: { metadata: { parent: 'capture' } } });
    }
  });

  it('a hold and a release cannot be undone', () => {
    const of = (parent: Command) => ({ ...undo('reversal'), parentId: parent.transactionId });
    captured.when(of(hold())).then('PARENT_NOT_UNDOABLE');
    const release = { ...capture(), key: 'rel', operation: 'release' as const };
    const released = given(noStates, deposit, hold(), command(withoutId(release)));
    released.when(of(command(withoutId(release)))).then('PARENT_NOT_UNDOABLE');
  });

  it('what a user got is given back by a reversal of staff, from whichever wallet it is asked', () => {
    const other = { other: payee };
    const toUser = hold({ payeeUserId: payee.userId });
    const paid = given(noStates, deposit, toUser, capture(other));
    const entries = [
      { amountMinor: 60n, contraAccount: `user:${payee.userId}` },
      { wallet: payee, amountMinor: -60n, balanceAfterMinor: 0n, more: { parentAmountMinor: 60n } },
    ];
    paid.when(undo('reversal', other)).then('accepted', { entries });
    const theirs = { ...undo('reversal', { other: ref }), wallet: payee };
    paid.when(theirs).then('accepted', { entries: [...entries].reverse() });
    paid.when(undo('cancellation', other)).then('PARENT_NOT_UNDOABLE');
    paid.when({ ...undo('reversal', other), callerClass: 'customer' }).then('PARENT_NOT_UNDOABLE');
    paid.when(undo('reversal')).then('PARENT_NOT_FOUND');
    given(paid.state, undo('reversal', other)).when(theirs).then('replayed');
  });
});

/** The id follows from the key. */
const withoutId = ({ transactionId: _id, ...fields }: Command): Partial<Command> => fields;

describe('replays of captures', () => {
  const all = (more?: CommandMore) => ({ ...capture(more), amountMinor: undefined });

  it('one that kept the rest and one that released it are not the same', () => {
    const keeps = { keepsRest: true };
    const kept = given(noStates, deposit, hold(), capture(keeps));
    kept.when(capture(keeps)).then('replayed');
    kept.when(capture()).then('IDEMPOTENCY_KEY_REUSED');
    const released = given(noStates, deposit, hold(), capture());
    released.when(capture()).then('replayed');
    released.when(capture(keeps)).then('IDEMPOTENCY_KEY_REUSED');
  });

  it('without an amount only a capture of all that was left is the same', () => {
    given(noStates, deposit, hold(), capture()).when(all()).then('IDEMPOTENCY_KEY_REUSED');
    const whole = given(noStates, deposit, hold(), all());
    whole.when(all()).then('replayed');
    whole.when({ ...all(), amountMinor: 100n }).then('replayed');
    whole.when(all({ keepsRest: true })).then('replayed');
    whole.when(capture()).then('IDEMPOTENCY_KEY_REUSED');
  });

  it('a hold is the same whenever it ends, and not for another payee', () => {
    const held = given(noStates, deposit, hold());
    held.when(hold({ expiresInMs: 9 })).then('replayed');
    held.when(hold({ via: 'bank' })).then('IDEMPOTENCY_KEY_REUSED');
    held.when({ ...hold(), merchant: 'Bookshop' }).then('IDEMPOTENCY_KEY_REUSED');
    held.when({ ...hold(), amountMinor: 99n }).then('IDEMPOTENCY_KEY_REUSED');
  });

  it('an entry of a group is not replayed outside of it, nor the other way round', () => {
    const groupId = '6f1c3f3e-0000-4000-8000-00000000000a';
    const grouped = { ...deposit, more: { groupId } };
    const done = given(noStates, grouped);
    done.when(grouped).then('replayed', { entries: [{ more: { groupId, heldMinor: 0n } }] });
    done.when(deposit).then('IDEMPOTENCY_KEY_REUSED');
    given(noStates, deposit).when(grouped).then('IDEMPOTENCY_KEY_REUSED');
  });
});
