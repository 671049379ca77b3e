import type { SpendingLimits } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';

/** The limits of which a wallet has one each, and the options that set them. */
export const plainLimits = [
  { option: 'perTransaction', field: 'perTransactionMinor', title: 'per transaction' },
  { option: 'perDay', field: 'dayMinor', title: 'per day' },
  { option: 'perWeek', field: 'weekMinor', title: 'per week' },
  { option: 'perMonth', field: 'monthMinor', title: 'per month' },
] as const satisfies readonly {
  readonly option: string;
  readonly field: keyof SpendingLimits;
  readonly title: string;
}[];

export const titleOfRolling = (hours: number): string => `in any ${hours} hours`;

const titles: Readonly<Record<string, string>> = {
  perTransaction: 'per transaction',
  day: 'per day',
  week: 'per week',
  month: 'per month',
};

/** `per day` for `day`, `in any 24 hours` for `rolling-24h`; an unknown name as it is. */
export function titleOfLimit(name: string): string {
  const hours = /^rolling-(\d+)h$/.exec(name)?.[1];
  return hours === undefined ? (titles[name] ?? name) : titleOfRolling(Number(hours));
}
