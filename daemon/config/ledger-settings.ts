import { z } from 'zod';

import { findExponent, isWithdrawn } from '../../core/currencies.ts';
import { parseJson } from '../../core/json/json-text.ts';
import { parseAmount } from '../../core/money.ts';
import { isTimezone } from '../../core/time/calendar.ts';
import type { SpendingLimits } from '../wallet/index.ts';

/** Settings of holds and spending limits, as those in `settings.ts`. */
export const ledgerSettings = {
  DEFAULT_LIMITS: ['spending limits of wallets that have none of their own, as JSON', ''],
  HOLD_DEFAULT_DAYS: ['days until a hold expires whose request does not say when', '7'],
  HOLD_MAX_DAYS: ['days after which a hold expires at the latest', '30'],
  TERMS_ROLE: [
    'operator or admin: who may change overdraft and spending limits (admins always may)',
    'operator',
  ],
} as const satisfies Readonly<Record<string, readonly [string, string]>>;

const days = z
  .string()
  .regex(/^([1-9]\d?|[12]\d\d|3[0-5]\d|36[0-6])$/, 'must be a number of days from 1 to 366')
  .transform(Number);

export const ledgerSchema = {
  DEFAULT_LIMITS: z.string().transform((text, context): ReadonlyMap<string, SpendingLimits> => {
    const read = readDefaultLimits(text);
    if (typeof read !== 'string') return read;
    context.addIssue({ code: 'custom', message: read });
    return z.NEVER;
  }),
  HOLD_DEFAULT_DAYS: days,
  HOLD_MAX_DAYS: days,
  TERMS_ROLE: z.enum(['operator', 'admin'], 'must be operator or admin'),
};

type Parsed = z.output<z.ZodObject<typeof ledgerSchema>>;

export type LedgerConfig = {
  /** Of wallets that have none of their own, by currency. */
  readonly defaultLimits: ReadonlyMap<string, SpendingLimits>;
  readonly holdDays: { readonly standard: number; readonly longest: number };
  readonly isTermsForAdmins: boolean;
};

export const toLedgerConfig = (parsed: Parsed): LedgerConfig => ({
  defaultLimits: parsed.DEFAULT_LIMITS,
  holdDays: { standard: parsed.HOLD_DEFAULT_DAYS, longest: parsed.HOLD_MAX_DAYS },
  isTermsForAdmins: parsed.TERMS_ROLE === 'admin',
});

export const findLedgerContradictions = (parsed: Parsed): string[] =>
  parsed.HOLD_DEFAULT_DAYS > parsed.HOLD_MAX_DAYS
    ? ['HOLD_DEFAULT_DAYS: must not be above HOLD_MAX_DAYS']
    : [];

const storedLimits = z.strictObject({
  perTransaction: z.string().optional(),
  day: z.string().optional(),
  week: z.string().optional(),
  month: z.string().optional(),
  rolling: z
    .array(z.strictObject({ hours: z.int().min(1).max(8_784), amount: z.string() }))
    .max(8)
    .optional(),
  timezone: z.string().default('UTC'),
});
const byCurrency = z.record(z.string(), storedLimits);

const wrongShape =
  'must be JSON like {"BRL":{"perTransaction":"500.00","day":"2000.00","timezone":"America/Sao_Paulo"}}, ' +
  'with perTransaction, day, week, month, rolling and timezone';

/** The limits by currency, or what is wrong with the text. */
function readDefaultLimits(text: string): ReadonlyMap<string, SpendingLimits> | string {
  const limits = new Map<string, SpendingLimits>();
  if (text === '') return limits;
  const json = parseJson(text);
  if (!json.ok) {
    return json.problem.kind === 'duplicate-key'
      ? `has the key ${json.problem.text} twice`
      : wrongShape;
  }
  const parsed = byCurrency.safeParse(json.value);
  if (!parsed.success) return wrongShape;
  for (const [currency, stored] of Object.entries(parsed.data)) {
    const exponent = findExponent(currency);
    if (exponent === undefined || isWithdrawn(currency)) {
      return `must name currencies of ISO 4217, like BRL: ${currency} is none`;
    }
    const read = readLimits(stored, exponent);
    if (typeof read === 'string') return `has for ${currency} ${read}`;
    limits.set(currency, read);
  }
  return limits;
}

const amountFields = [
  ['perTransaction', 'perTransactionMinor'],
  ['day', 'dayMinor'],
  ['week', 'weekMinor'],
  ['month', 'monthMinor'],
] as const;

function readLimits(
  stored: z.output<typeof storedLimits>,
  exponent: number,
): SpendingLimits | string {
  const amounts: Record<string, bigint> = {};
  for (const [name, field] of amountFields) {
    const text = stored[name];
    if (text === undefined) continue;
    const amount = parseAmount(text, exponent);
    if (!amount.ok) return `the ${name} ${text}: ${amount.problem}`;
    amounts[field] = amount.minor;
  }
  if (!isTimezone(stored.timezone)) {
    return `the timezone ${stored.timezone}, which is not the IANA name of a zone, like America/Sao_Paulo`;
  }
  const rolling: { hours: number; amountMinor: bigint }[] = [];
  for (const { hours, amount: text } of stored.rolling ?? []) {
    const amount = parseAmount(text, exponent);
    if (!amount.ok) return `the rolling amount ${text}: ${amount.problem}`;
    if (rolling.some((other) => other.hours === hours))
      return `two limits of ${hours} rolling hours`;
    rolling.push({ hours, amountMinor: amount.minor });
  }
  return { ...amounts, ...(rolling.length > 0 ? { rolling } : {}), timezone: stored.timezone };
}
