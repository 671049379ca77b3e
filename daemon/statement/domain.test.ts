import { describe, expect, it } from 'vitest';

import { outcomeOfResult, specify } from '../../tests/support/ledger/decider-spec.ts';
import {
  checkCompleteness,
  hasCarriableTotals,
  isBalanced,
  isInline,
  resolveRange,
  type Completeness,
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
  ...{ heldClosingMinor: 0n, holdCount: 0n },
  nextSeq: undefined,
  brokenSeq: undefined,
};

/** Completeness, decided by what the projection holds and the wallet's last seq in the ledger. */
const completeness = specify<Extent, bigint | undefined, Completeness>({
  decide: checkCompleteness,
  outcomeOf: (decided) =>
    decided.isComplete ? 'complete' : `behind by ${decided.behindBy ?? 'an unknown number'}`,
});

describe('completeness of a statement', () => {
  const given = (change: Partial<Extent> = {}) => completeness.given({ ...whole, ...change });

  it('lines without a gap up to the last line of the ledger are complete', () => {
    given().when(9n).then('complete');
  });

  it('lines without a gap that are followed by the next one are complete in any case', () => {
    given({ nextSeq: 10n }).when(500n).then('complete');
    given({ nextSeq: 10n }).when(undefined).then('complete');
  });

  it('a last seq read before later lines arrived does not make them incomplete', () => {
    given().when(7n).then('complete');
  });

  it('the lines missing in a gap within the range are counted', () => {
    given({ lineCount: 5n }).when(9n).then('behind by 2');
  });

  it('the lines missing between the end and the last line of the ledger are counted', () => {
    given().when(12n).then('behind by 3');
  });

  it('a gap at the end is counted up to the line after it', () => {
    given({ nextSeq: 12n }).when(40n).then('behind by 2');
  });

  it('without an answer of the ledger, a statement is behind by an unknown number', () => {
    given().when(undefined).then('behind by an unknown number');
  });

  it('a wallet that was never opened is complete; one with nothing projected is not', () => {
    const empty = given({ openingSeq: 0n, closingSeq: 0n, lineCount: 0n });
    empty.when(0n).then('complete');
    empty.when(4n).then('behind by 4');
  });

  it('a statement from the first line needs that line', () => {
    given({ openingSeq: 0n, closingSeq: 9n, lineCount: 8n }).when(9n).then('behind by 1');
  });
});

describe('hasCarriableTotals', () => {
  it('hasCarriableTotals is false where a total exceeds an int64', () => {
    expect(hasCarriableTotals({ ...whole, totalDebitMinor: 2n ** 63n - 1n })).toBe(true);
    expect(hasCarriableTotals({ ...whole, totalCreditMinor: 2n ** 63n })).toBe(false);
  });
});

describe('isBalanced', () => {
  it('isBalanced is true only where opening and totals give the closing balance', () => {
    expect(isBalanced(whole)).toBe(true);
    expect(isBalanced({ ...whole, closingMinor: 161n })).toBe(false);
  });
});

describe('resolveRange', () => {
  const now = Date.parse('2026-11-22T12:00:00Z');
  type Asked = { readonly from?: string; readonly to?: string; readonly timezone?: string };
  /** Given how many days are answered at once, when a range is asked for. */
  const { given } = specify<number, Asked, ReturnType<typeof resolveRange>>({
    decide: (inlineDays, { from, to, timezone = 'UTC' }) => {
      const timeOf = (text?: string) => (text === undefined ? undefined : Date.parse(text));
      const range = { fromMs: timeOf(from), toMs: timeOf(to), timezone };
      return resolveRange(range, now, inlineDays);
    },
    outcomeOf: outcomeOfResult,
  });

  it('a range that is left out ends now and begins 15 days earlier', () => {
    given(15)
      .when({})
      .then('accepted', {
        value: { fromMs: Date.parse('2026-11-07T12:00:00Z'), toMs: now, timezone: 'UTC' },
      });
  });

  it('a range without a start begins 15 calendar days earlier, across a time change', () => {
    given(15)
      .when({ to: '2026-03-15T12:00:00Z', timezone: 'America/New_York' })
      .then('accepted', { value: { fromMs: Date.parse('2026-02-28T13:00:00Z') } });
  });

  it('a range without a start is shorter where fewer days are answered at once', () => {
    given(7)
      .when({})
      .then('accepted', { value: { fromMs: Date.parse('2026-11-15T12:00:00Z') } });
  });

  it('a range of ten years is accepted, and a longer one is refused', () => {
    const from = '2010-01-01T00:00:00Z';
    given(15).when({ from, to: '2020-01-09T00:00:00Z' }).then('accepted');
    given(15).when({ from, to: '2020-01-09T00:00:01Z' }).then('RANGE_TOO_LONG');
  });

  it.each([
    ['a range that ends before it begins', '2026-11-10T00:00:00Z', '2026-11-09T00:00:00Z', 'UTC'],
    ['an unknown time zone', undefined, undefined, 'Mars/Olympus'],
    ['a time that is none', 'never', undefined, 'UTC'],
    ['a year before the first', '-000200-01-01T00:00:00Z', '-000200-01-02T00:00:00Z', 'UTC'],
  ])('resolveRange refuses %s', (_what, from, to, timezone) => {
    given(15)
      .when({ ...(from && { from }), ...(to && { to }), timezone })
      .then('INVALID_ARGUMENT');
  });
});

describe('isInline', () => {
  const isAnswered = (from: string, to: string, timezone: string) =>
    isInline({ fromMs: Date.parse(from), toMs: Date.parse(to), timezone }, 15);

  it('isInline accepts 15 calendar days and not one more', () => {
    expect(isAnswered('2026-11-01T00:00:00Z', '2026-11-16T00:00:00Z', 'UTC')).toBe(true);
    expect(isAnswered('2026-11-01T00:00:00Z', '2026-11-17T00:00:00Z', 'UTC')).toBe(false);
  });

  it.each([
    ['a day of 25 hours', '2026-10-25T04:00:00Z', '2026-11-09T05:00:00Z'],
    ['a day of 23 hours', '2026-03-01T05:00:00Z', '2026-03-16T04:00:00Z'],
  ])('isInline counts %s as one day', (_what, from, to) => {
    const zone = 'America/New_York';
    const later = new Date(Date.parse(to) + 1_000).toISOString();
    const nextDay = new Date(Date.parse(to) + 86_400_000).toISOString();
    expect(isAnswered(from, to, zone)).toBe(true);
    expect(isAnswered(from, later, zone)).toBe(false);
    expect(isAnswered(from, nextDay, zone)).toBe(false);
  });
});
