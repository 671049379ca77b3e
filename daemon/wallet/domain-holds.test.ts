import { describe, expect, it } from 'vitest';

import { buildCommand, walletRefOf } from '../../tests/support/ledger/build-command.ts';
import { specify } from '../../tests/support/ledger/decider-spec.ts';
import {
  createWalletDecider,
  noStates,
  withWallet,
} from '../../tests/support/ledger/wallet-decider.ts';
import { decideBatch } from './domain-batch.ts';
import { maxOpenHolds } from './domain-holds.ts';
import { walletsToOpen, type Command, type CommandMore, type States } from './domain.ts';

const nowMs = Date.UTC(2026, 10, 22);
const endMs = nowMs + 1_000;
const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const ref = walletRefOf(userId);
const payee = walletRefOf('6f1c3f3e-0000-4000-8000-000000000002');
const { given } = specify(createWalletDecider(nowMs));
/** The same a second later: the holds of these tests have ended. */
const later = specify(createWalletDecider(endMs));

const command = (fields: Partial<Command>): Command =>
  buildCommand(userId, { callerClass: 'staff', key: 'k', ...fields });
const deposit = (amountMinor: bigint) => command({ key: 'd', amountMinor });
const withdraw = (amountMinor: bigint) => command({ key: 'w', operation: 'withdraw', amountMinor });
const hold = (amountMinor: bigint, more: CommandMore = {}, key = 'h') =>
  command({ key, operation: 'hold', amountMinor, more: { expiresAtMs: endMs, ...more } });
const use =
  (operation: 'capture' | 'release') =>
  (key: string, amountMinor?: bigint, more?: CommandMore, parent = hold(100n)) =>
    command({ key, operation, amountMinor, parentId: parent.transactionId, more });
const [capture, release] = [use('capture'), use('release')];
const reversal = (parent: Command, more?: CommandMore) =>
  command({
    ...{ key: 'r', operation: 'reversal', amountMinor: undefined, more },
    parentId: parent.transactionId,
  });

const placed = given(noStates, deposit(150n), hold(100n));

describe('the hold itself', () => {
  it('it moves nothing, reserves its amount, and says in its metadata when it ends', () => {
    given(noStates, deposit(150n))
      .when(hold(100n))
      .then('accepted', {
        entries: [
          {
            ...{ amountMinor: 0n, balanceAfterMinor: 150n, contraAccount: 'merchant' },
            ...{ parentId: undefined, debitedAfterMinor: 0n },
            more: {
              ...{ heldMinor: 100n, heldAfterMinor: 100n, parentUsedMinor: 0n },
              parentAmountMinor: undefined,
            },
            metadata: { 'dw.expiresAt': '2026-11-22T00:00:01.000Z' },
          },
        ],
        hold: { amountMinor: 100n, usedMinor: 0n, state: 'open', expiresAtMs: endMs },
      });
  });

  it.each<[string, Partial<Command>, CommandMore]>([
    ['merchant', {}, {}],
    ['merchant:Bookshop', { merchant: 'Bookshop' }, {}],
    ['external:bank', {}, { via: 'bank' }],
    [`user:${payee.userId}`, {}, { payeeUserId: payee.userId }],
  ])('its contra account %s is who a capture pays', (contraAccount, fields, more) => {
    given(noStates, deposit(150n))
      .when({ ...hold(100n, more), ...fields })
      .then('accepted', { entries: [{ contraAccount }] });
  });

  it('it ends so long after its own time, which is never before the wallet’s last entry', () => {
    const ahead = withWallet(noStates, ref, {
      balanceMinor: 9n,
      seq: 1n,
      lastAtMs: nowMs + 60_000,
    });
    given(ahead)
      .when({ ...hold(9n), more: { expiresInMs: 5 } })
      .then('accepted', { hold: { placedAtMs: nowMs + 60_000, expiresAtMs: nowMs + 60_005 } });
    given(ahead).when(hold(9n)).then('INVALID_ARGUMENT');
  });

  it.each([nowMs, nowMs - 1, NaN, Infinity, Date.UTC(20_000, 1)])(
    'a hold that ends at %s is refused',
    (expiresAtMs) => {
      given(noStates, deposit(150n))
        .when(hold(100n, { expiresAtMs }))
        .then('INVALID_ARGUMENT', { rejection: { metadata: { field: 'expires_at' } } });
    },
  );

  it('one that lasts too long is refused by the field that says so, and only if it is new', () => {
    const longestMs = 86_400_000;
    const ends: CommandMore = { expiresInMs: longestMs + 1_000, longestMs };
    const asked = command({ key: 'h', operation: 'hold', amountMinor: 1n, more: ends });
    given(noStates, deposit(150n))
      .when(asked)
      .then('INVALID_ARGUMENT', {
        rejection: {
          message: 'expires_in_seconds must be at most 86400: a hold lasts 1 day at most',
          metadata: { field: 'expires_in_seconds', most: '86400' },
        },
      });
    const late = hold(100n, { expiresAtMs: nowMs + longestMs + 1, longestMs });
    given(noStates, deposit(150n))
      .when(late)
      .then('INVALID_ARGUMENT', { rejection: { metadata: { field: 'expires_at' } } });
    for (const more of [ends, late.more]) {
      placed
        .when(command({ key: 'h', operation: 'hold', amountMinor: 100n, more }))
        .then('replayed');
    }
  });

  it('a resend is a replay after its end, too', () => {
    later.given(placed.state).when(hold(100n)).then('replayed');
  });

  it('what is reserved cannot be spent or reserved again, and what is left can', () => {
    placed.when(withdraw(51n)).then('INSUFFICIENT_FUNDS', {
      rejection: {
        metadata: { field: 'amount', balance: '1.50', available: '0.50', amount: '0.51' },
      },
    });
    placed.when(withdraw(50n)).then('accepted', { entries: [{ more: { heldAfterMinor: 100n } }] });
    placed.when(hold(51n, {}, 'h2')).then('INSUFFICIENT_FUNDS');
    placed.when(hold(50n, {}, 'h2')).then('accepted', {
      entries: [{ more: { heldAfterMinor: 150n } }],
    });
    placed.when(reversal(deposit(150n))).then('INSUFFICIENT_FUNDS');
  });

  it('a wallet has so many open holds, and not one more', () => {
    const full = { ...placed.state, openHolds: new Map([[ref.id, maxOpenHolds]]) };
    given(full)
      .when(hold(1n, {}, 'h2'))
      .then('HOLD_LIMIT_EXCEEDED', {
        rejection: { metadata: { field: 'operation', limit: '1024' } },
      });
    const free = { ...placed.state, openHolds: new Map([[ref.id, maxOpenHolds - 1]]) };
    const asked = [hold(1n, {}, 'h2'), hold(1n, {}, 'h3'), release('x'), hold(1n, {}, 'h4')];
    expect(verdictsOf(free, asked)).toEqual([
      ...['accepted', 'HOLD_LIMIT_EXCEEDED', 'accepted', 'accepted'],
    ]);
  });
});

const verdictsOf = (states: States, commands: readonly Command[], atMs = nowMs) =>
  decideBatch(states, commands, atMs).decisions.map((d) =>
    d.kind === 'rejected' ? d.rejection.reason : d.kind,
  );

describe('capture', () => {
  it('a capture of a part releases the rest', () => {
    placed.when(capture('c', 30n)).then('accepted', {
      entries: [
        {
          ...{ amountMinor: -30n, balanceAfterMinor: 120n, debitedAfterMinor: 30n },
          ...{ contraAccount: 'merchant', parentId: hold(100n).transactionId },
          more: {
            heldMinor: -100n,
            heldAfterMinor: 0n,
            parentUsedMinor: 0n,
            parentAmountMinor: 100n,
          },
        },
      ],
      hold: { usedMinor: 100n, capturedMinor: 30n, state: 'captured', closedAtMs: nowMs },
    });
  });

  it('captures that keep the rest take part after part, up to the whole', () => {
    const parts = [capture('a', 30n, { keepsRest: true }), capture('b', 30n, { keepsRest: true })];
    const rest = given(placed.state, ...parts);
    rest.when(capture('c', 41n)).then('CAPTURE_EXCEEDS_HOLD', {
      rejection: { metadata: { field: 'amount', left: '0.40', amount: '1.00' } },
    });
    rest.when(capture('c')).then('accepted', {
      entries: [{ amountMinor: -40n, more: { heldMinor: -40n, parentUsedMinor: 60n } }],
      hold: { usedMinor: 100n, capturedMinor: 100n, state: 'captured' },
    });
    rest.when(release('c')).then('accepted', {
      entries: [{ amountMinor: 0n, balanceAfterMinor: 90n, more: { heldMinor: -40n } }],
      hold: { usedMinor: 100n, capturedMinor: 60n, state: 'captured' },
    });
  });

  it('a hold that was used up is closed to captures and releases', () => {
    const closed = given(placed.state, capture('c', 1n));
    closed.when(capture('c2', 1n)).then('HOLD_CLOSED');
    closed.when(release('r')).then('HOLD_CLOSED');
    later.given(closed.state).when(capture('c2')).then('HOLD_CLOSED');
  });

  it('what is no hold of this wallet is not found', () => {
    const others = walletRefOf(payee.userId);
    placed.when(capture('c', 1n, undefined, deposit(150n))).then('HOLD_NOT_FOUND');
    placed.when(capture('c', 1n, undefined, hold(1n, {}, 'never'))).then('HOLD_NOT_FOUND');
    placed.when({ ...capture('c', 1n), wallet: others }).then('HOLD_NOT_FOUND');
    placed.when({ ...release('c', 1n), wallet: others }).then('HOLD_NOT_FOUND');
  });

  it('it needs the balance, of which a forced reversal may have taken what was reserved', () => {
    const eaten = given(placed.state, reversal(deposit(150n), { isForced: true }));
    eaten.when(capture('c', 1n)).then('INSUFFICIENT_FUNDS');
    eaten.when(release('c')).then('accepted', { entries: [{ balanceAfterMinor: 0n }] });
    const half = { ...reversal(deposit(150n), { isForced: true }), amountMinor: 100n };
    given(placed.state, half).when(capture('c', 51n)).then('INSUFFICIENT_FUNDS');
    given(placed.state, half).when(capture('c', 50n)).then('accepted');
  });

  it('one for a user pays that user, whose wallet it opens', () => {
    const toUser = hold(100n, { payeeUserId: payee.userId });
    const asked = capture('c', 30n, { other: payee });
    const held = given(noStates, deposit(150n), toUser);
    held.when(asked).then('accepted', {
      entries: [
        { amountMinor: -30n, contraAccount: `user:${payee.userId}`, more: { heldMinor: -100n } },
        {
          ...{ wallet: payee, operation: 'capture', amountMinor: 30n, parentId: undefined },
          ...{ contraAccount: `user:${userId}`, more: undefined },
        },
      ],
    });
    expect(walletsToOpen(asked)).toEqual([payee]);
    expect(walletsToOpen(release('c'))).toEqual([]);
    // The hold appeared after its payee was looked up.
    held.when(capture('c', 30n)).then('HOLD_NOT_FOUND');
    held.when(release('c')).then('accepted');
    placed.when(asked).then('HOLD_NOT_FOUND');
  });
});

describe('release', () => {
  it('frees a part or the rest, and moves nothing', () => {
    placed.when(release('a', 101n)).then('CAPTURE_EXCEEDS_HOLD');
    const part = given(placed.state, release('a', 60n));
    part.when(withdraw(110n)).then('accepted');
    part.when(withdraw(111n)).then('INSUFFICIENT_FUNDS');
    part.when(release('b')).then('accepted', {
      entries: [{ amountMinor: 0n, more: { heldMinor: -40n, heldAfterMinor: 0n } }],
      hold: { state: 'released', capturedMinor: 0n, usedMinor: 100n },
    });
  });

  it('a second one finds the hold closed, and its own key is a replay', () => {
    const released = given(placed.state, release('a'));
    released.when(release('b')).then('HOLD_CLOSED');
    released.when(release('a')).then('replayed');
    released.when(release('a', 100n)).then('replayed');
    released.when(release('a', 99n)).then('IDEMPOTENCY_KEY_REUSED');
    released.when(capture('a')).then('IDEMPOTENCY_KEY_REUSED');
  });
});
