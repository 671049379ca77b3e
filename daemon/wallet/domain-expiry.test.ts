import { describe, expect, it } from 'vitest';

import { transactionIdOf } from '../../core/ids.ts';
import { buildCommand, walletRefOf } from '../../tests/support/ledger/build-command.ts';
import { specify } from '../../tests/support/ledger/decider-spec.ts';
import {
  createWalletDecider,
  noStates,
  termsOf,
  withWallet,
} from '../../tests/support/ledger/wallet-decider.ts';
import { decideBatch } from './domain-batch.ts';
import { toExpiryCommand } from './domain-holds.ts';
import type { Command, CommandMore, States } from './domain.ts';

const nowMs = Date.UTC(2026, 10, 22);
const endMs = nowMs + 1_000;
const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const ref = walletRefOf(userId);
const { given } = specify(createWalletDecider(nowMs));
/** The same a second later: the holds of these tests have ended. */
const later = specify(createWalletDecider(endMs));

const command = (fields: Partial<Command>): Command =>
  buildCommand(userId, { callerClass: 'staff', key: 'k', ...fields });
const deposit = command({ key: 'd', amountMinor: 150n });
const withdraw = (amountMinor: bigint) => command({ key: 'w', operation: 'withdraw', amountMinor });
const hold = (key = 'h') =>
  command({ key, operation: 'hold', amountMinor: 100n, more: { expiresAtMs: endMs } });
const holdId = hold().transactionId;
const use = (operation: 'capture' | 'release', fields: Partial<Command> = {}) =>
  command({ key: 'c', operation, amountMinor: undefined, parentId: holdId, ...fields });
const placed = given(noStates, deposit, hold());

const verdictsOf = (states: States, commands: readonly Command[], atMs: number) =>
  decideBatch(states, commands, atMs).decisions.map((d) =>
    d.kind === 'rejected' ? d.rejection.reason : d.kind,
  );

describe('expiry', () => {
  const expiryId = transactionIdOf(ref.id, 'system', `expire:${holdId}`);

  it('at its time the money is free, and a millisecond before it is not', () => {
    specify(createWalletDecider(endMs - 1))
      .given(placed.state)
      .when(withdraw(150n))
      .then('INSUFFICIENT_FUNDS');
    later
      .given(placed.state)
      .when(withdraw(150n))
      .then('accepted', {
        entries: [{ seq: 4n, balanceAfterMinor: 0n, more: undefined }],
      });
  });

  it('the release is an entry of walletd itself, before that of the command', () => {
    const part = given(
      placed.state,
      use('capture', { amountMinor: 30n, more: { keepsRest: true } }),
    );
    const batch = decideBatch(part.state, [withdraw(1n)], endMs + 5);
    expect(batch.implied).toMatchObject([
      {
        ...{ id: expiryId, seq: 4n, operation: 'release', source: 'system', actor: 'walletd' },
        ...{ amountMinor: 0n, description: undefined, metadata: {}, occurredAtMs: endMs + 5 },
        more: {
          heldMinor: -70n,
          heldAfterMinor: 0n,
          parentUsedMinor: 30n,
          parentAmountMinor: 100n,
        },
      },
    ]);
    expect(batch.holds).toMatchObject([
      { state: 'expired', usedMinor: 100n, capturedMinor: 30n, closedAtMs: endMs + 5 },
    ]);
    expect(batch.changed).toMatchObject([{ seq: 5n, held: undefined }]);
  });

  it('captures and releases are refused from then on, whether or not it was entered', () => {
    const expired = later.given(placed.state);
    expired.when(use('capture')).then('HOLD_EXPIRED', {
      rejection: { metadata: { field: 'parent_id', expiresAt: '2026-11-22T00:00:01.000Z' } },
    });
    expired.when(use('release')).then('HOLD_EXPIRED');
    const swept = later.given(placed.state, withdraw(1n));
    swept.when(use('capture')).then('HOLD_EXPIRED');
    // Where it is not known to be due, it is no more open.
    later
      .given({ ...placed.state, due: new Map() })
      .when(use('capture'))
      .then('HOLD_EXPIRED');
  });

  it('a hold lasts as long as it may to the last millisecond, by whichever of its ends', () => {
    const wanted = (more: CommandMore) =>
      command({
        key: 'long',
        operation: 'hold',
        amountMinor: 1n,
        more: { longestMs: 1_000, ...more },
      });
    const funded = given(noStates, deposit);
    funded.when(wanted({ expiresAtMs: endMs })).then('accepted');
    funded.when(wanted({ expiresInMs: 1_000 })).then('accepted');
    funded.when(wanted({ expiresAtMs: endMs + 1 })).then('INVALID_ARGUMENT', {
      rejection: { metadata: { field: 'expires_at', latest: '2026-11-22T00:00:01.000Z' } },
    });
    funded.when(wanted({ expiresInMs: 1_001 })).then('INVALID_ARGUMENT', {
      rejection: { metadata: { field: 'expires_in_seconds' } },
    });
  });

  it('it is judged by the time of the entry, which may be ahead of the clock', () => {
    const ahead = withWallet(placed.state, ref, { readWatermarkMs: endMs });
    given(ahead).when(use('capture')).then('HOLD_EXPIRED');
    given(ahead)
      .when(withdraw(150n))
      .then('accepted', { entries: [{ occurredAtMs: endMs }] });
  });

  it('a refused command enters it too, and one that may not be done now does not', () => {
    expect(decideBatch(placed.state, [withdraw(151n)], endMs).implied).toHaveLength(1);
    const stopped = { reason: 'OUTBOX_FULL', message: '', metadata: {} } as const;
    const refused = { ...withdraw(1n), refusedIfNew: stopped };
    expect(decideBatch(placed.state, [refused], endMs).implied).toEqual([]);
  });

  it('nothing is entered into a wallet that is corrupt or ahead of the clock', () => {
    const corrupt = { ...placed.state, corrupt: new Set([ref.id]) };
    expect(decideBatch(corrupt, [withdraw(1n)], endMs).implied).toEqual([]);
    const ahead = withWallet(placed.state, ref, { lastAtMs: endMs + 3_600_000 });
    expect(decideBatch(ahead, [withdraw(1n)], endMs).implied).toEqual([]);
    expect(verdictsOf(ahead, [withdraw(1n)], endMs)).toEqual(['WALLET_CLOCK_AHEAD']);
  });

  it('walletd’s own command finds what it asks for, and releases nothing before its time', () => {
    const own = toExpiryCommand(ref, holdId);
    expect(own.transactionId).toBe(expiryId);
    const swept = decideBatch(placed.state, [own, own], endMs);
    expect(swept.decisions.map(({ kind }) => kind)).toEqual(['replayed', 'replayed']);
    expect(swept.implied).toHaveLength(1);
    expect(verdictsOf(placed.state, [own], endMs - 1)).toEqual(['HOLD_NOT_FOUND']);
  });

  it('a frozen wallet’s holds end and can be released, and are not captured', () => {
    const frozen = withWallet(placed.state, ref, { terms: termsOf('frozen') });
    given(frozen).when(use('capture')).then('WALLET_FROZEN');
    given(frozen).when(use('release')).then('accepted');
    given(frozen).when(hold('h2')).then('WALLET_FROZEN');
    expect(decideBatch(frozen, [withdraw(1n)], endMs).implied).toHaveLength(1);
    const debits = withWallet(placed.state, ref, { terms: termsOf('debits_frozen') });
    given(debits).when(use('capture')).then('WALLET_FROZEN');
    given(debits).when(hold('h2')).then('WALLET_FROZEN');
    given(debits).when(use('release')).then('accepted');
  });
});
