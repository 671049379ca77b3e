import type { SpendingLimits } from './domain.ts';

/** Spending limits as the column `wallets.limits` has them: minor units as texts. */
export type StoredLimits = {
  readonly perTransaction?: string;
  readonly day?: string;
  readonly week?: string;
  readonly month?: string;
  readonly rolling?: readonly { readonly hours: number; readonly amount: string }[];
  readonly timezone: string;
};

const fields = [
  ['perTransaction', 'perTransactionMinor'],
  ['day', 'dayMinor'],
  ['week', 'weekMinor'],
  ['month', 'monthMinor'],
] as const;

export function toStoredLimits(limits: SpendingLimits): StoredLimits {
  const amounts: Record<string, string> = {};
  for (const [name, field] of fields) {
    const amountMinor = limits[field];
    if (amountMinor !== undefined) amounts[name] = amountMinor.toString();
  }
  const rolling = limits.rolling?.map(({ hours, amountMinor }) => ({
    hours,
    amount: amountMinor.toString(),
  }));
  return { ...amounts, ...(rolling ? { rolling } : {}), timezone: limits.timezone };
}

export function ofStoredLimits(stored: StoredLimits): SpendingLimits {
  const amounts: Record<string, bigint> = {};
  for (const [name, field] of fields) {
    const amount = stored[name];
    if (amount !== undefined) amounts[field] = BigInt(amount);
  }
  const rolling = stored.rolling?.map(({ hours, amount }) => ({
    hours,
    amountMinor: BigInt(amount),
  }));
  return { ...amounts, ...(rolling ? { rolling } : {}), timezone: stored.timezone };
}
