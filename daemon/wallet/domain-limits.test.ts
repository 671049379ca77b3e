import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { wallClockMs } from '../../core/time/calendar.ts';
import { buildCommand, walletRefOf } from '../../tests/support/ledger/build-command.ts';
import { noStates, termsOf, withWallet } from '../../tests/support/ledger/wallet-decider.ts';
import { decideBatch } from './domain-batch.ts';
import { anchorKey, windowsOf } from './domain-limits.ts';
import { decide, type Command, type SpendingLimits, type States } from './domain.ts';

const at = (iso: string): number => Date.parse(iso);
const nowMs = at('2026-11-25T12:00:00.000Z');
const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const ref = walletRefOf(userId);

const command = (fields: Partial<Command> = {}): Command =>
  buildCommand(userId, { key: 'k', operation: 'purchase', ...fields });

/** A rich wallet that has debited 100.00 so far, of which 60.00 before the windows. */
function statesWith(limits: SpendingLimits, heldMinor = 0n): States {
  const states = withWallet(noStates, ref, {
    ...{ balanceMinor: 1_000_000n, debitedMinor: 10_000n, seq: 9n, lastAtMs: nowMs - 1 },
    held: heldMinor > 0n ? { heldMinor, nextExpiryMs: nowMs + 1 } : undefined,
    terms: { ...termsOf('active'), limits },
  });
  const starts = windowsOf(limits, nowMs).map(({ startMs }) => startMs);
  return { ...states, anchors: new Map(starts.map((start) => [anchorKey(ref.id, start), 6_000n])) };
}

const verdictOf = (states: States, asked: Command): string => {
  const decision = decide(states, asked, nowMs);
  return decision.kind === 'rejected' ? decision.rejection.reason : decision.kind;
};

describe('windows of limits', () => {
  const all = { dayMinor: 1n, weekMinor: 2n, monthMinor: 3n, timezone: 'America/New_York' };

  it.each([
    // Clocks go forward on 8 March 2026, and back on 1 November 2026.
    ['2026-03-08T12:00Z', '2026-03-08T05:00:00.000Z', '2026-03-09T04:00:00.000Z'],
    ['2026-11-01T12:00Z', '2026-11-01T04:00:00.000Z', '2026-11-02T05:00:00.000Z'],
    ['2026-11-02T04:59:59.999Z', '2026-11-01T04:00:00.000Z', '2026-11-02T05:00:00.000Z'],
    ['2026-11-02T05:00Z', '2026-11-02T05:00:00.000Z', '2026-11-03T05:00:00.000Z'],
  ])('a day of the calendar of New York at %s is from %s to %s', (instant, from, to) => {
    const [day] = windowsOf(all, at(instant));
    expect(day).toEqual({ name: 'day', limitMinor: 1n, startMs: at(from), resetsAtMs: at(to) });
  });

  it('a week begins on Monday, and a month on its first day', () => {
    const [, week, month] = windowsOf(all, at('2026-11-01T12:00Z'));
    expect(week).toMatchObject({ name: 'week', startMs: at('2026-10-26T04:00Z') });
    expect(week).toMatchObject({ resetsAtMs: at('2026-11-02T05:00Z') });
    expect(month).toMatchObject({ name: 'month', startMs: at('2026-11-01T04:00Z') });
    expect(month).toMatchObject({ resetsAtMs: at('2026-12-01T05:00Z') });
  });

  it('a rolling window begins so many hours before, and has no end', () => {
    const limits = { rolling: [{ hours: 24, amountMinor: 5n }], timezone: 'UTC' };
    const startMs = nowMs - 24 * 3_600_000;
    expect(windowsOf(limits, nowMs)).toEqual([{ name: 'rolling-24h', limitMinor: 5n, startMs }]);
  });

  it('limits in a zone that the runtime does not know have the days of UTC', () => {
    const [day] = windowsOf({ dayMinor: 1n, timezone: 'Mars/Olympus' }, nowMs);
    expect(day?.startMs).toBe(at('2026-11-25T00:00Z'));
  });

  it('in any zone each time is in one day, week and month, and the next begin where they end', () => {
    const zones = [
      ...['UTC', 'America/New_York', 'America/Sao_Paulo', 'America/Havana', 'Asia/Kolkata'],
      ...['Australia/Lord_Howe', 'Pacific/Apia', 'Europe/Berlin'],
    ];
    const times = fc.integer({ min: at('2010-01-01T00:00Z'), max: at('2030-01-01T00:00Z') });
    fc.assert(
      fc.property(fc.constantFrom(...zones), times, (timezone, atMs) => {
        const limits = { ...all, timezone };
        const windows = windowsOf(limits, atMs);
        windows.forEach(({ startMs, resetsAtMs = NaN, name }, i) => {
          expect(startMs <= atMs && atMs < resetsAtMs).toBe(true);
          expect(windowsOf(limits, startMs)[i]?.startMs).toBe(startMs);
          expect(windowsOf(limits, resetsAtMs - 1)[i]?.startMs).toBe(startMs);
          expect(windowsOf(limits, resetsAtMs)[i]?.startMs).toBe(resetsAtMs);
          const wall = new Date(wallClockMs(startMs, timezone));
          if (name === 'month') expect(wall.getUTCDate()).toBe(1);
          if (name === 'week') expect([wall.getUTCDay(), timezone]).toEqual([1, timezone]);
        });
      }),
      { numRuns: 400 },
    );
  });
});

describe('spending limits', () => {
  const day = { dayMinor: 5_000n, timezone: 'UTC' };

  it('a debit may reach a limit to the last unit, and not pass it', () => {
    expect(verdictOf(statesWith(day), command({ amountMinor: 1_000n }))).toBe('accepted');
    expect(verdictOf(statesWith(day), command({ amountMinor: 1_001n }))).toBe('LIMIT_EXCEEDED');
  });

  it('a refusal says which limit, how much of it is used and left, and when it begins anew', () => {
    const decision = decide(statesWith(day), command({ amountMinor: 1_001n }), nowMs);
    expect(decision).toMatchObject({
      rejection: {
        metadata: {
          ...{ limit: 'day', max: '50.00', amount: '10.01', used: '40.00', left: '10.00' },
          ...{ currency: 'BRL', resetsAt: '2026-11-26T00:00:00.000Z' },
        },
      },
    });
  });

  it.each<[string, Partial<SpendingLimits>]>([
    ['perTransaction', { perTransactionMinor: 999n }],
    ['week', { weekMinor: 4_999n }],
    ['month', { monthMinor: 4_999n }],
    ['rolling-3h', { rolling: [{ hours: 3, amountMinor: 4_999n }] }],
  ])('the limit %s is named by the refusal', (limit, limits) => {
    const states = statesWith({ ...limits, timezone: 'UTC' });
    const decision = decide(states, command({ amountMinor: 1_000n }), nowMs);
    expect(decision).toMatchObject({
      rejection: { reason: 'LIMIT_EXCEEDED', metadata: { field: 'amount', limit } },
    });
    expect(verdictOf(states, command({ amountMinor: 999n }))).toBe('accepted');
  });

  it('where the money is missing or frozen, the refusal says that and not the limit', () => {
    const states = statesWith(day);
    expect(verdictOf(states, command({ amountMinor: 1_000_001n }))).toBe('INSUFFICIENT_FUNDS');
    const terms = { ...termsOf('debits_frozen'), limits: day };
    const frozen = withWallet(states, ref, { terms });
    expect(verdictOf(frozen, command({ amountMinor: 1_001n }))).toBe('WALLET_FROZEN');
  });

  it('what open holds reserve counts as used', () => {
    expect(verdictOf(statesWith(day, 1n), command({ amountMinor: 999n }))).toBe('accepted');
    expect(verdictOf(statesWith(day, 1n), command({ amountMinor: 1_000n }))).toBe('LIMIT_EXCEEDED');
  });

  it.each(['withdraw', 'purchase', 'transfer', 'hold', 'fee'] as const)(
    'a %s counts against the limits, unless staff force it',
    (operation) => {
      const more = { expiresInMs: 1, ...(operation === 'transfer' ? { other } : {}) };
      const asked = command({ operation, amountMinor: 1_001n, more });
      expect(verdictOf(statesWith(day), asked)).toBe('LIMIT_EXCEEDED');
      const forced = { ...asked, callerClass: 'staff' as const, more: { ...more, isForced: true } };
      expect(verdictOf(statesWith(day), forced)).toBe('accepted');
      const tooMuch = { ...forced, amountMinor: 1_000_001n };
      expect(verdictOf(statesWith(day), tooMuch)).toBe('INSUFFICIENT_FUNDS');
    },
  );

  it.each(['customer', 'message'] as const)(
    'nothing that a %s asks for is forced',
    (callerClass) => {
      const more = { isForced: true };
      const asked = command({ amountMinor: 1_001n, callerClass, more });
      expect(verdictOf(statesWith(day), asked)).toBe('LIMIT_EXCEEDED');
    },
  );

  it('a deposit does not count, and neither does what comes in by a transfer', () => {
    const more = { other: ref };
    const theirs = walletRefOf(other.userId);
    const rich = withWallet(statesWith(day), theirs, { balanceMinor: 9_000n, seq: 1n });
    const asked = buildCommand(other.userId, { operation: 'transfer', amountMinor: 9_000n, more });
    expect(verdictOf(rich, asked)).toBe('accepted');
    expect(verdictOf(rich, command({ operation: 'deposit', amountMinor: 9_000n }))).toBe(
      'accepted',
    );
  });

  it('a capture does not count again, and a reversal of a debit gives no allowance back', () => {
    const hold = command({
      key: 'h',
      operation: 'hold',
      amountMinor: 1_000n,
      more: { expiresInMs: 9 },
    });
    const capture = command({
      ...{ key: 'c', operation: 'capture', amountMinor: undefined },
      parentId: hold.transactionId,
    });
    const undo = command({
      ...{ key: 'r', operation: 'reversal', amountMinor: undefined, callerClass: 'staff' },
      parentId: capture.transactionId,
    });
    const more = command({ key: 'm', amountMinor: 1n });
    const { decisions } = decideBatch(statesWith(day), [hold, capture, undo, more], nowMs);
    expect(decisions.map((d) => (d.kind === 'rejected' ? d.rejection.reason : d.kind))).toEqual([
      ...['accepted', 'accepted', 'accepted', 'LIMIT_EXCEEDED'],
    ]);
  });

  it('the limits of its currency apply to a wallet that has none of its own', () => {
    const states = withWallet(noStates, ref, { balanceMinor: 1_000n, seq: 1n });
    const defaultLimits = new Map([['BRL', { perTransactionMinor: 10n, timezone: 'UTC' }]]);
    const asked = command({ amountMinor: 11n });
    expect(verdictOf({ ...states, defaultLimits }, asked)).toBe('LIMIT_EXCEEDED');
    expect(verdictOf(states, asked)).toBe('accepted');
    const own = statesWith({ timezone: 'UTC' });
    expect(verdictOf({ ...own, defaultLimits }, asked)).toBe('accepted');
  });
});

const other = walletRefOf('6f1c3f3e-0000-4000-8000-000000000002');
