import { exponentOf } from '../../../core/currencies.ts';
import { formatMinor } from '../../../core/money.ts';

/** How many rows of one kind there are, and what they move. */
export type Total = {
  /** What became of them; `valid` before they are sent. */
  readonly status: string;
  readonly operation: string;
  /** Empty: undos of whole transactions, of which only the ledger knows the amount. */
  readonly currency: string;
  readonly rows: number;
  readonly amountMinor: bigint;
};

/** A total as a line of a journal has it. */
export type StoredTotal = readonly [
  status: string,
  operation: string,
  currency: string,
  rows: number,
  amountMinor: string,
];

export type Totals = {
  add(total: Total): void;
  /** By status, operation and currency. */
  list(): readonly Total[];
};

export function createTotals(): Totals {
  const byKind = new Map<string, Total>();
  return {
    add: (total) => {
      const { status, operation, currency, rows, amountMinor } = total;
      const kind = `${status} ${operation} ${currency}`;
      const { rows: before, amountMinor: sum } = byKind.get(kind) ?? { rows: 0, amountMinor: 0n };
      byKind.set(kind, { ...total, rows: before + rows, amountMinor: sum + amountMinor });
    },
    list: () => {
      const all = [...byKind].sort(([one], [other]) => (one < other ? -1 : 1));
      return all.map(([, total]) => total);
    },
  };
}

export const storeTotal = (total: Total): StoredTotal => [
  ...([total.status, total.operation, total.currency, total.rows] as const),
  String(total.amountMinor),
];

export const loadTotal = ([status, operation, currency, rows, minor]: StoredTotal): Total => ({
  ...{ status, operation, currency, rows },
  amountMinor: BigInt(minor),
});

/** `{ status, operation, currency?, rows, amount? }`. */
export function toTotalJson({ status, operation, currency, rows, amountMinor }: Total): object {
  if (currency === '') return { status, operation, rows };
  const amount = formatMinor(amountMinor, exponentOf(currency));
  return { status, operation, currency, rows, amount };
}

/** `493 rows, 1234.50 BRL`. */
export function describeTotal({ currency, rows, amountMinor }: Total): string {
  const count = rows === 1 ? '1 row' : `${rows} rows`;
  if (currency === '') return `${count}, of whole transactions`;
  return `${count}, ${formatMinor(amountMinor, exponentOf(currency))} ${currency}`;
}
