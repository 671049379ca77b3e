import { SpendingLimits } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { failUsage, succeed, type Outcome } from '../../outcome.ts';
import { readAmount } from '../money/command.ts';
import { lifetimeForms, readLifetime } from '../shared/lifetime.ts';
import { plainLimits } from './names.ts';

/** The options of `wallet limits set`, as typed. */
export type LimitOptions = {
  readonly overdraft?: string;
  readonly perTransaction?: string;
  readonly perDay?: string;
  readonly perWeek?: string;
  readonly perMonth?: string;
  /** `24h=100.00`, each. */
  readonly rolling?: readonly string[];
  readonly timezone?: string;
};

/** A limit in minor units, or that there shall be none. */
type Limit = bigint | 'none';

type PlainField = (typeof plainLimits)[number]['field'];

/** What is to change. What is absent stays. */
export type LimitsChange = {
  readonly overdraftMinor: bigint | undefined;
  readonly plain: ReadonlyMap<PlainField, Limit>;
  /** By the hours of their windows. */
  readonly rolling: ReadonlyMap<number, Limit>;
  readonly timezone: string | undefined;
};

/** Checks the options. USAGE where nothing is to change. */
export function readLimits(options: LimitOptions, currency: string): Outcome<LimitsChange> {
  const plain = new Map<PlainField, Limit>();
  for (const { option, field } of plainLimits) {
    const text = options[option];
    if (text === undefined) continue;
    const limit = readLimit(toFieldName(option), text, currency);
    if (!limit.ok) return limit;
    plain.set(field, limit.value);
  }
  const rolling = readRolling(options.rolling ?? [], currency);
  if (!rolling.ok) return rolling;
  const overdraft = readOverdraft(options.overdraft, currency);
  if (!overdraft.ok) return overdraft;
  const { timezone } = options;
  if (plain.size + rolling.value.size === 0 && options.overdraft === undefined && !timezone) {
    return failUsage(
      'limits',
      'there is nothing to change: name what is to be set',
      'for instance --per-day 500.00, --per-month none or --overdraft 100.00',
    );
  }
  return succeed({ overdraftMinor: overdraft.value, plain, rolling: rolling.value, timezone });
}

/** True where spending limits change, and not only the overdraft. */
export const changesLimits = ({ plain, rolling, timezone }: LimitsChange): boolean =>
  plain.size + rolling.size > 0 || timezone !== undefined;

/** The limits as they are after the change, of which the server takes all. */
export function applyChange(
  current: SpendingLimits | undefined,
  { plain, rolling, timezone }: LimitsChange,
): SpendingLimits {
  const limits = SpendingLimits.fromPartial(current ?? {});
  for (const [field, limit] of plain) limits[field] = limit === 'none' ? undefined : limit;
  const windows = new Map(limits.rolling.map(({ hours, amountMinor }) => [hours, amountMinor]));
  for (const [hours, limit] of rolling) {
    if (limit === 'none') windows.delete(hours);
    else windows.set(hours, limit);
  }
  const byLength = [...windows].sort(([one], [other]) => one - other);
  return {
    ...limits,
    rolling: byLength.map(([hours, amountMinor]) => ({ hours, amountMinor })),
    timezone: timezone ?? limits.timezone,
  };
}

/** `perDay` as errors name it: `per_day`. */
const toFieldName = (option: string): string =>
  option.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function readLimit(field: string, text: string, currency: string): Outcome<Limit> {
  if (text === 'none') return succeed('none');
  // Nothing may be spent, or overdrawn.
  if (/^0(\.0{1,4})?$/.test(text)) return succeed(0n);
  const amount = readAmount(text, currency);
  if (amount.ok) return amount;
  const hint = 'write an amount like 500.00; none removes a limit';
  return { ok: false, failure: { ...amount.failure, field, hint } };
}

function readOverdraft(text: string | undefined, currency: string): Outcome<bigint | undefined> {
  if (text === undefined) return succeed(undefined);
  const limit = readLimit('overdraft', text, currency);
  return limit.ok ? succeed(limit.value === 'none' ? 0n : limit.value) : limit;
}

const hourMs = 3_600_000;

function readRolling(
  texts: readonly string[],
  currency: string,
): Outcome<ReadonlyMap<number, Limit>> {
  const windows = new Map<number, Limit>();
  for (const text of texts) {
    const [span = '', amount] = text.split('=', 2);
    const lengthMs = readLifetime(span);
    if (amount === undefined || lengthMs === undefined || lengthMs % hourMs !== 0) {
      const message = `${JSON.stringify(text)} is not of the form SPAN=AMOUNT, with whole hours`;
      return failUsage('rolling', message, `for instance --rolling 24h=500.00; ${lifetimeForms}`);
    }
    const hours = lengthMs / hourMs;
    if (windows.has(hours)) return failUsage('rolling', `has ${hours} hours twice`);
    const limit = readLimit('rolling', amount, currency);
    if (!limit.ok) return limit;
    windows.set(hours, limit.value);
  }
  return succeed(windows);
}
