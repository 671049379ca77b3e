import { describe, expect, it } from 'vitest';

import {
  hasCarriableTotals,
  isBalanced,
  isInline,
  checkCompleteness,
  resolveRange,
  type Extent,
} from './domain.ts';

/** Lines 4 to 9 within the range, 3 before it, nothing after. */
const whole: Extent = {
  openingSeq: 3n,
  openingMinor: 100n,
  closingSeq: 9n,
  closingMinor: 160n,
  lineCount: 7n,
  totalDebitMinor: 40n,
  totalCreditMinor: 100n,
  nextSeq: undefined,
  brokenSeq: undefined,
};

describe('judge', () => {
  it('lines without a gap up to the wallet’s head are complete', () => {
    expect(checkCompleteness(whole, 9n)).toEqual({ isComplete: true });
  });

  it('lines without a gap that are followed by the next one are complete, whatever the head', () => {
    const followed = { ...whole, nextSeq: 10n };
    expect(checkCompleteness(followed, 500n)).toEqual({ isComplete: true });
    expect(checkCompleteness(followed, undefined)).toEqual({ isComplete: true });
  });

  it('a head asked before later lines came does not make them incomplete', () => {
    expect(checkCompleteness(whole, 7n)).toEqual({ isComplete: true });
  });

  it('a gap within is counted', () => {
    expect(checkCompleteness({ ...whole, lineCount: 5n }, 9n)).toEqual({
      isComplete: false,
      behindBy: 2n,
    });
  });

  it('an end that is not the head is behind by what is missing', () => {
    expect(checkCompleteness(whole, 12n)).toEqual({ isComplete: false, behindBy: 3n });
  });

  it('a gap at the end is counted up to the line after it', () => {
    const gapAfter = { ...whole, nextSeq: 12n };
    expect(checkCompleteness(gapAfter, 40n)).toEqual({ isComplete: false, behindBy: 2n });
  });

  it('a ledger out of reach is not complete, and nobody knows by how much', () => {
    expect(checkCompleteness(whole, undefined)).toEqual({ isComplete: false, behindBy: undefined });
  });

  it('a wallet that was never opened is complete; one with nothing projected is not', () => {
    const empty = { ...whole, openingSeq: 0n, closingSeq: 0n, lineCount: 0n };
    expect(checkCompleteness(empty, 0n)).toEqual({ isComplete: true });
    expect(checkCompleteness(empty, 4n)).toEqual({ isComplete: false, behindBy: 4n });
  });

  it('a statement from the first line needs that line', () => {
    const headless = { ...whole, openingSeq: 0n, closingSeq: 9n, lineCount: 8n };
    expect(checkCompleteness(headless, 9n)).toEqual({ isComplete: false, behindBy: 1n });
  });
});

describe('hasCarriableTotals', () => {
  it('is false where the totals pass an int64', () => {
    expect(hasCarriableTotals({ ...whole, totalDebitMinor: 2n ** 63n - 1n })).toBe(true);
    expect(hasCarriableTotals({ ...whole, totalCreditMinor: 2n ** 63n })).toBe(false);
  });
});

describe('isBalanced', () => {
  it('opening and totals give the closing balance, or the projection is damaged', () => {
    expect(isBalanced(whole)).toBe(true);
    expect(isBalanced({ ...whole, closingMinor: 161n })).toBe(false);
  });
});

describe('resolveRange', () => {
  const now = Date.parse('2026-11-22T12:00:00Z');
  const resolve = (from: string | undefined, to: string | undefined, timezone = 'UTC', days = 15) =>
    resolveRange(
      {
        fromMs: from === undefined ? undefined : Date.parse(from),
        toMs: to === undefined ? undefined : Date.parse(to),
        timezone,
      },
      now,
      days,
    );
  const reasonOf = (result: ReturnType<typeof resolve>) =>
    result.ok ? 'ok' : result.rejection.reason;

  it('ends now and begins 15 days earlier where nothing is said', () => {
    expect(resolve(undefined, undefined)).toMatchObject({
      value: { fromMs: Date.parse('2026-11-07T12:00:00Z'), toMs: now, timezone: 'UTC' },
    });
  });

  it('begins 15 calendar days earlier also where the clock was changed in between', () => {
    const spring = resolve(undefined, '2026-03-15T12:00:00Z', 'America/New_York');
    expect(spring).toMatchObject({
      ok: true,
      value: { fromMs: Date.parse('2026-02-28T13:00:00Z') },
    });
  });

  it('begins later where less is answered at once', () => {
    expect(resolve(undefined, undefined, 'UTC', 7)).toMatchObject({
      value: { fromMs: Date.parse('2026-11-15T12:00:00Z') },
    });
  });

  it('takes ten years and not more', () => {
    expect(reasonOf(resolve('2010-01-01T00:00:00Z', '2020-01-09T00:00:00Z'))).toBe('ok');
    expect(reasonOf(resolve('2010-01-01T00:00:00Z', '2020-01-09T00:00:01Z'))).toBe(
      'RANGE_TOO_LONG',
    );
  });

  it.each([
    ['a range that ends before it begins', '2026-11-10T00:00:00Z', '2026-11-09T00:00:00Z', 'UTC'],
    ['an unknown time zone', undefined, undefined, 'Mars/Olympus'],
    ['a time that is none', 'never', undefined, 'UTC'],
    ['a year before the first', '-000200-01-01T00:00:00Z', '-000200-01-02T00:00:00Z', 'UTC'],
  ])('refuses %s', (_what, from, to, timezone) => {
    expect(reasonOf(resolve(from, to, timezone))).toBe('INVALID_ARGUMENT');
  });
});

describe('isInline', () => {
  const isAnswered = (from: string, to: string, timezone: string) =>
    isInline({ fromMs: Date.parse(from), toMs: Date.parse(to), timezone }, 15);

  it('takes 15 calendar days and not one more', () => {
    expect(isAnswered('2026-11-01T00:00:00Z', '2026-11-16T00:00:00Z', 'UTC')).toBe(true);
    expect(isAnswered('2026-11-01T00:00:00Z', '2026-11-17T00:00:00Z', 'UTC')).toBe(false);
  });

  it.each([
    ['a day of 25 hours', '2026-10-25T04:00:00Z', '2026-11-09T05:00:00Z'],
    ['a day of 23 hours', '2026-03-01T05:00:00Z', '2026-03-16T04:00:00Z'],
  ])('counts %s as one day', (_what, from, to) => {
    const zone = 'America/New_York';
    const later = new Date(Date.parse(to) + 1_000).toISOString();
    const nextDay = new Date(Date.parse(to) + 86_400_000).toISOString();
    expect(isAnswered(from, to, zone)).toBe(true);
    expect(isAnswered(from, later, zone)).toBe(false);
    expect(isAnswered(from, nextDay, zone)).toBe(false);
  });
});
