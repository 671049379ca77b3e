import { exponentOf } from '../../core/currencies.ts';
import { formatMinor } from '../../core/money.ts';

/** Minor units of a currency as a decimal string, with the server's exponent where it gives one. */
export function formatMoney(minor: bigint, currency: string, exponent?: number): string {
  return formatMinor(minor, exponent ?? exponentOf(currency));
}
