/** For how many days a hold lasts where a request does not say, and at most. */
export type HoldDays = { readonly standard: number; readonly longest: number };

/** As the settings HOLD_DEFAULT_DAYS and HOLD_MAX_DAYS are where they are not given. */
export const usualHoldDays: HoldDays = { standard: 7, longest: 30 };
