import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { SpendingLimits, Terms } from './domain.ts';

/** What staff change of a wallet's terms; what is undefined stays as it is. */
export type TermsChange = {
  readonly overdraftMinor: bigint | undefined;
  /** `default`: the wallet has no limits of its own from now on. */
  readonly limits: SpendingLimits | 'default' | undefined;
  /** Only if the terms have this number now. */
  readonly expectedNo: number | undefined;
};

/** The terms after a change; the same object where it changes nothing. TERMS_CHANGED. */
export function decideTerms(terms: Terms, change: TermsChange): Result<Terms> {
  const { overdraftMinor = terms.overdraftMinor, limits: asked, expectedNo = terms.no } = change;
  if (expectedNo !== terms.no) {
    return refuse(
      'TERMS_CHANGED',
      `the terms have the number ${terms.no} by now, not ${expectedNo}: look at them again`,
      { field: 'expected_number', number: String(terms.no) },
    );
  }
  const limits = asked === 'default' ? undefined : (asked ?? terms.limits);
  const isSame = overdraftMinor === terms.overdraftMinor && areEqual(limits, terms.limits);
  return succeed(isSame ? terms : { ...terms, no: terms.no + 1, overdraftMinor, limits });
}

const areEqual = (a: SpendingLimits | undefined, b: SpendingLimits | undefined): boolean =>
  textOf(a) === textOf(b);

const textOf = (limits: SpendingLimits | undefined): string => {
  if (!limits) return '';
  const { perTransactionMinor, dayMinor, weekMinor, monthMinor, rolling = [], timezone } = limits;
  const windows = rolling.map(({ hours, amountMinor }) => `${hours}=${amountMinor}`);
  return [perTransactionMinor, dayMinor, weekMinor, monthMinor, timezone, ...windows].join(' ');
};
