import { amountLimitMinor } from '../../../../core/money.ts';
import { refuse, succeed, type Result } from '../../../../core/reasons.ts';
import { isTimezone } from '../../../../core/time/calendar.ts';
import type {
  SetWalletTermsRequest,
  SpendingLimits as WireLimits,
  WalletTerms,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { SpendingLimits } from '../../domain.ts';
import type { TermsChange } from '../../domain-terms.ts';
import type { TermsNow } from './read-terms.ts';

export function toWireTerms({ wallet, limits, uses }: TermsNow): WalletTerms {
  const { terms, userId, currency } = wallet;
  return {
    userId,
    currency,
    number: terms.no,
    overdraftLimitMinor: terms.overdraftMinor,
    limits: limits && toWireLimits(limits),
    isDefault: terms.limits === undefined && limits !== undefined,
    uses: uses.map(({ name, limitMinor, usedMinor, resetsAtMs }) => ({
      name,
      limitMinor,
      usedMinor,
      leftMinor: usedMinor < limitMinor ? limitMinor - usedMinor : 0n,
      resetsAt: resetsAtMs === undefined ? undefined : new Date(resetsAtMs),
    })),
  };
}

const toWireLimits = ({ rolling = [], ...limits }: SpendingLimits): WireLimits => ({
  ...limits,
  rolling: rolling.map((one) => ({ ...one })),
});

/** At most so many windows, and a year. */
const maxRolling = 8;
const maxHours = 366 * 24;

/** What a request changes. INVALID_ARGUMENT with the field. */
export function readTermsChange(request: SetWalletTermsRequest): Result<TermsChange> {
  const { overdraftLimitMinor: overdraftMinor, limits, clearLimits, expectedNumber } = request;
  if (overdraftMinor === undefined && !limits && !clearLimits) {
    return invalid('limits', 'or clear_limits or overdraft_limit_minor must be given');
  }
  if (limits && clearLimits)
    return invalid('clear_limits', 'must be absent where limits are given');
  const problem = overdraftMinor === undefined ? undefined : findAmountProblem(overdraftMinor);
  if (problem !== undefined) return invalid('overdraft_limit_minor', problem);
  const read = limits
    ? readLimits(limits)
    : succeed(clearLimits ? ('default' as const) : undefined);
  if (!read.ok) return read;
  return succeed({ overdraftMinor, limits: read.value, expectedNo: expectedNumber });
}

const amountFields = [
  ['per_transaction_minor', 'perTransactionMinor'],
  ['day_minor', 'dayMinor'],
  ['week_minor', 'weekMinor'],
  ['month_minor', 'monthMinor'],
] as const;

function readLimits({ rolling, timezone, ...amounts }: WireLimits): Result<SpendingLimits> {
  const read: Record<string, bigint> = {};
  for (const [name, field] of amountFields) {
    const amountMinor = amounts[field];
    if (amountMinor === undefined) continue;
    const problem = findAmountProblem(amountMinor);
    if (problem !== undefined) return invalid(`limits.${name}`, problem);
    read[field] = amountMinor;
  }
  if (rolling.length > maxRolling) {
    return invalid('limits.rolling', `must be at most ${maxRolling} limits`);
  }
  for (const [i, { hours, amountMinor }] of rolling.entries()) {
    if (!Number.isInteger(hours) || hours < 1 || hours > maxHours) {
      return invalid(`limits.rolling[${i}].hours`, `must be 1 to ${maxHours}`);
    }
    const problem = findAmountProblem(amountMinor);
    if (problem !== undefined) return invalid(`limits.rolling[${i}].amount_minor`, problem);
    if (rolling.findIndex((other) => other.hours === hours) !== i) {
      return invalid(`limits.rolling[${i}].hours`, 'must differ from those of the other limits');
    }
  }
  const zone = timezone === '' ? 'UTC' : timezone;
  if (!isTimezone(zone)) {
    return invalid('limits.timezone', 'must be the IANA name of a zone, like America/Sao_Paulo');
  }
  const windows = rolling.map(({ hours, amountMinor }) => ({ hours, amountMinor }));
  return succeed({ ...read, ...(rolling.length > 0 ? { rolling: windows } : {}), timezone: zone });
}

const findAmountProblem = (amountMinor: bigint): string | undefined => {
  if (amountMinor < 0n) return 'must not be below 0';
  return amountMinor >= amountLimitMinor ? 'must be below 10^18 minor units' : undefined;
};

const invalid = (field: string, problem: string) =>
  refuse('INVALID_ARGUMENT', `${field} ${problem}`, { field });
