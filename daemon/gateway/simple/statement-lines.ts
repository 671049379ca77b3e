import { formatMoney } from '../../../lib/json/money.ts';
import { nameOperation } from '../../../lib/json/names.ts';
import { formatZonedTime } from '../../../lib/json/time.ts';
import type {
  Statement,
  StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';

/** A line as the simple API has it: `R$100.00`, and the day as dd/mm/yyyy. */
export function toSimpleLine(
  { currency, exponent, timezone }: Pick<Statement, 'currency' | 'exponent' | 'timezone'>,
  line: StatementLine,
): object {
  const money = (minor: bigint): string => {
    const text = formatMoney(minor, currency, exponent);
    const symbol = symbolOf(currency);
    return text.startsWith('-') ? `-${symbol}${text.slice(1)}` : `${symbol}${text}`;
  };
  const day = line.occurredAt && formatZonedTime(line.occurredAt, timezone).slice(0, 10);
  return {
    amount: money(line.debitMinor > 0n ? line.debitMinor : line.creditMinor),
    balance: money(line.balanceAfterMinor),
    operation: nameOperation(line.operation),
    date: day?.split('-').reverse().join('/'),
  };
}

/** `R$` of BRL; the code and a blank where a currency has no symbol of its own. */
function symbolOf(currency: string): string {
  const style = { style: 'currency', currency, currencyDisplay: 'narrowSymbol' } as const;
  const parts = new Intl.NumberFormat('en', style).formatToParts(0);
  const symbol = parts.find(({ type }) => type === 'currency')?.value ?? currency;
  return symbol === currency ? `${currency} ` : symbol;
}
